/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functional gate: what does not route correctly has no speed. TCP in both directions whose
 * bytes arrive, from the address that they should come from, and nothing refused meanwhile.
 */
#ifndef SELFTESTS_BENCH_GATE_H
#define SELFTESTS_BENCH_GATE_H

#include "lane.h"

int gate_check(struct lane *lane, struct err *err);
/* At the end: that nothing has been refused since. */
int gate_check_refusals(const struct lane *lane, struct err *err);

#endif
