/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_KERNEL_BPF_TRACE_H
#define TP_KERNEL_BPF_TRACE_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"
#include "model/trace.h"

/*
 * Puts a packet through the programs as they are loaded and the tables as they are live, and tells
 * what became of it. It is sent nowhere, and nothing of it is left: no flow, mapping or count.
 * have: what bpf_read_rows read. -EPROTO: the attached programs are of another build than this.
 */
int bpf_trace(const struct bpf *bpf, const struct state *have, const struct trace_request *request,
	      struct trace *out, struct err *err);

#endif
