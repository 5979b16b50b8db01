/* SPDX-License-Identifier: GPL-2.0-only */
/* towpath itself, in the router's place: the real binary and a policy with grants and SNAT. */
#ifndef SELFTESTS_BENCH_ROUTER_H
#define SELFTESTS_BENCH_ROUTER_H

#include "lane.h"

int router_start_tun(struct lane *lane, struct err *err);
int router_start_lan(struct lane *lane, struct err *err);

/* All packets that the lane's towpath has refused so far. */
int router_refusals(const struct lane *lane, uint64_t *count, struct err *err);

#endif
