/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decides the policy's `tests`, exactly: over every address and port they name, not a sample.
 * The compiled tables cut the space into pieces inside which every packet gets the same answer;
 * one packet of each piece stands for all of it.
 */
#ifndef TP_MODEL_DECIDE_H
#define TP_MODEL_DECIDE_H

#include "model/decide_packet.h"
#include "model/policy.h"
#include "model/state.h"
#include "towpath/flow.h"

#define DECIDE_NO_GRANT TP_RULE_NONE /* as the programs say it */

struct decide_failure {
	const char *place; /* the assertion's; belongs to the config */
	char *message;
	char *counter_example; /* "tcp 100.80.0.10 -> 10.10.30.11:22" */
	uint32_t grant;        /* index of the deciding grant, or DECIDE_NO_GRANT */
	struct decide_packet packet;
};

struct decide_result {
	size_t passed; /* assertions that hold */
	ARRAY_OF(struct decide_failure) failed;
};

/* 0 when it could be decided, whatever came out, or -ENOMEM. *out is decide_result_free'd. */
int decide_tests(const struct policy *policy, struct decide_result *out);
void decide_result_free(struct decide_result *result);

/*
 * The verdict on three classes of the tables: whether it is allowed, and the rule that decides
 * (the first deny, else the first accept), or DECIDE_NO_GRANT.
 */
bool decide_classes(const struct tables *tables, uint32_t src, uint32_t dst, uint32_t port,
		    uint32_t *rule);

#endif
