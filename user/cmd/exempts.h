/* SPDX-License-Identifier: GPL-2.0-only */
/* Which network namespaces the policy exempts from the socket load balancer. */
#ifndef TP_CMD_EXEMPTS_H
#define TP_CMD_EXEMPTS_H

#include "kernel/exempt.h"
#include "model/policy.h"

/* Rules that own their words. */
struct exempts {
	ARRAY_OF(struct exempt_rule);
};

/* Those of the policy, and tunnel.netns. 0 or -ENOMEM; exempts_free either way. */
int exempts_read(const struct policy *policy, const struct policy_member *self,
		 struct exempts *out);
void exempts_free(struct exempts *exempts);

/* What is there of them now. Like exempt_find. */
int exempts_find(const struct policy *policy, const struct policy_member *self,
		 struct exempt_rows *out, struct err *err);

#endif
