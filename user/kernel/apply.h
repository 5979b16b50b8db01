/* SPDX-License-Identifier: GPL-2.0-only */
/* Does a plan, op by op. Decides nothing: which steps and in which order is the plan's business. */
#ifndef TP_KERNEL_APPLY_H
#define TP_KERNEL_APPLY_H

#include "base/err.h"
#include "kernel/bpf_links.h"
#include "kernel/netns.h"
#include "plan/ops.h"

struct apply {
	struct bpf *bpf;
	const char *instance;
	const struct netns *netns; /* that the caller has entered */
	const struct state *want;  /* NULL for the plan of `down` */
	const struct state *have;
	/* called before each op; NULL = nobody watches */
	void (*progress)(const struct op *op, void *data);
	void *progress_data;
};

/*
 * Stops at the first op that fails, with err naming it; what was done stays, and the next apply
 * goes on from there. An empty plan touches nothing.
 */
int apply_plan(const struct apply *apply, const struct plan *plan, struct err *err);

#endif
