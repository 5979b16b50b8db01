/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking at flows from outside, while programs go on with them. */
#ifndef TP_KERNEL_BPF_FLOW_H
#define TP_KERNEL_BPF_FLOW_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "towpath/flow.h"

/*
 * A copy of the flow that packets with this key belong to. 1: found; 0: there is none, or it is
 * dead. Expired ones that nobody has looked at since count as alive, as they do in the table.
 */
int bpf_find_flow(const struct bpf *bpf, const struct tp_flow_key *key, struct tp_flow_state *out,
		  struct err *err);

/* Whether no slot is free. */
int bpf_flows_are_full(const struct bpf *bpf, bool *out, struct err *err);

#endif
