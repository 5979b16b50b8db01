/* SPDX-License-Identifier: GPL-2.0-only */
/* What is logged while a plan is done: each step, or of very many how far it is. */
#ifndef TP_CMD_PROGRESS_H
#define TP_CMD_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "plan/ops.h"

struct progress {
	const struct plan *plan;
	size_t total;
	size_t begun;
	int64_t said_at; /* seconds of CLOCK_MONOTONIC */
};

void progress_start(struct progress *progress, const struct plan *plan);
/* apply's progress; data is the struct progress. */
void progress_step(const struct op *op, void *data);

#endif
