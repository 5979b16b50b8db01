/* SPDX-License-Identifier: GPL-2.0-only */
/* For the tests of plans: two copies of one state that can be bent independently. */
#ifndef SELFTESTS_PAIR_H
#define SELFTESTS_PAIR_H

#include "fixture.h"
#include "plan/ops.h"

struct pair {
	struct fixture want, have;
};

/* Node a, which this is, with a route, and the peers p (with a route and an endpoint) and q. */
bool pair_build(struct pair *pair);
void pair_free(struct pair *pair);

/* A line an op, the caller's. */
char *plan_text(const struct plan *plan);
void pair_check(const struct pair *pair, const char *want);
struct state_peer *pair_peer(struct state *state, const char *name); /* NULL: there is none */

#endif
