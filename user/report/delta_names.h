/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for sets of addresses: what people call them in either policy. */
#ifndef TP_REPORT_DELTA_NAMES_H
#define TP_REPORT_DELTA_NAMES_H

#include "model/intern.h"
#include "model/policy.h"

/* Points into the policies. */
struct delta_names {
	struct intern sets;     /* ranges of one family */
	ARRAY_OF(const char *); /* the name of each set */
};

/*
 * Names of the new policy go before those of the old one, which counts only where the new one does
 * not use the word. is_src: which `*` is meant. 0 or -ENOMEM; delta_names_free in any case.
 */
int delta_names_build(const struct policy *old_policy, const struct policy *new_policy, bool is_src,
		      struct delta_names *out);
/* Normalized ranges of one family; NULL: they have no name. */
const char *delta_names_find(const struct delta_names *names, const struct ranges *ranges);
void delta_names_free(struct delta_names *names);

#endif
