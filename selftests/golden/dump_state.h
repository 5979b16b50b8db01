/* SPDX-License-Identifier: GPL-2.0-only */
/* A state as text, every member of it, for golden files. */
#ifndef SELFTESTS_DUMP_STATE_H
#define SELFTESTS_DUMP_STATE_H

#include <stdio.h>

#include "model/state.h"
#include "plan/ops.h"

void dump_state(FILE *out, const struct state *state);
void dump_tables(FILE *out, const struct tables *tables);
void dump_rules(FILE *out, const struct tables *tables); /* without the routes */
void dump_plan(FILE *out, const struct plan *plan);

#endif
