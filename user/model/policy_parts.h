/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files policy*.c share while a policy is being built. */
#ifndef TP_MODEL_POLICY_PARTS_H
#define TP_MODEL_POLICY_PARTS_H

#include "model/policy.h"
#include "model/policy_names.h"

struct policy_builder {
	const struct config *config;
	struct policy *policy;
	struct names names;
	struct problems *problems;
};

/*
 * The steps, in this order. Each returns 0 or -ENOMEM; what is wrong with the file goes to
 * b->problems.
 */
int policy_check_names(struct policy_builder *b);
int policy_build_hubs(struct policy_builder *b);
int policy_build_routes(struct policy_builder *b);
int policy_build_sets(struct policy_builder *b);
int policy_build_rules(struct policy_builder *b);
int policy_build_assertions(struct policy_builder *b);

void policy_rule_clear(struct policy_rule *rule); /* what it owns */

/*
 * The set a selector means on that side, in *out. A selector that cannot be used is reported with
 * its place, and *out is POLICY_SET_NONE.
 */
#define POLICY_SET_NONE UINT32_MAX
int policy_use_set(struct policy_builder *b, const char *selector, bool is_src, const char *place,
		   uint32_t *out);

/* Reports that nothing has this name: "unknown WHAT "text"; did you mean …". 0 or -ENOMEM. */
int policy_unknown(struct policy_builder *b, const char *place, const char *what, const char *text,
		   int kind);

int policy_service_warnings(const struct config *config, struct problems *out);

#endif
