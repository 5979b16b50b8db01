/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_KERNEL_BPF_STATS_H
#define TP_KERNEL_BPF_STATS_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"
#include "model/stats.h"

/* Reads every counter; rows are those that have->peer_info and have->route_info name. */
int bpf_read_stats(const struct bpf *bpf, const struct state *have, struct stats *out,
		   struct err *err);

#endif
