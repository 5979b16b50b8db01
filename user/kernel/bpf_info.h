/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has which number: the rows of tp_peer_info and tp_route_info. A policy may have 100,000. */
#ifndef TP_KERNEL_BPF_INFO_H
#define TP_KERNEL_BPF_INFO_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"
#include "plan/ops.h"

bool bpf_info_handles(enum op_kind kind);

/* How many of the ops from op on are done together: those of a kind, some at a time. */
size_t bpf_info_count(const struct op *op, size_t left);

/*
 * Does them; what they set is want's. Who a number is given to has counters that begin at 0: they
 * are cleared when it is given up, and when it changes hands at once. Before the row is: so a crash
 * in between has it done again.
 */
int bpf_info_run(const struct bpf *bpf, const struct op *op, size_t count, const struct state *want,
		 struct err *err);

#endif
