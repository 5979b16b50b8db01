/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy from its text, with everything that has to be freed in one place. */
#ifndef SELFTESTS_FIXTURE_H
#define SELFTESTS_FIXTURE_H

#include "config/config.h"
#include "model/facts.h"
#include "model/policy.h"
#include "model/state.h"

struct fixture {
	struct config *config;
	struct policy *policy;
	struct facts facts;
	struct problems problems; /* errors of config or policy */
	struct problems warnings; /* of want */
	struct err err;
	struct state want;
};

/* Reads and resolves; 0 or what config_read or policy_build said, with `problems`. */
int fixture_policy(struct fixture *f, const char *policy_text);

/* The state of one node, after fixture_policy. -EINVAL also for facts that cannot be read. */
int fixture_want(struct fixture *f, const char *facts_text, const char *node);

void fixture_free(struct fixture *f);

/* All problems as lines `PLACE: MESSAGE`, the caller's. */
char *fixture_lines(const struct problems *problems);

/* A policy text with a key for each "@NAME@": any 32 bytes, the same for the same name. */
char *fixture_with_keys(const char *text);

#endif
