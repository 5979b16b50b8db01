/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the tables of one policy generation. */
#ifndef TP_MODEL_COMPILE_H
#define TP_MODEL_COMPILE_H

#include "model/policy.h"
#include "model/state.h"
#include "model/view.h"

/*
 * All tables of one node, and their hash. *out is the caller's (tables_free). 0, -ENOMEM, or
 * -E2BIG when there are more rules than bits, or more routes than tp_routes has room for.
 */
int compile_tables(const struct policy *policy, const struct view *view, struct tables *out);

/* The part that is the same on every node: src, dst, ports, classes, rules. */
int compile_rules(const struct policy *policy, struct tables *out);

/* compile_routes.c: the node's routes, sorted. expires_at still is key_expiry, in seconds. */
int compile_routes(const struct view *view, struct tables *out);

void tables_free(struct tables *tables);

#endif
