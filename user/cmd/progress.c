// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/progress.h"

#include <time.h>

#include "base/log.h"

#define STEPS_SHOWN 200 /* of a plan with more, a line a second */

static int64_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
	return now.tv_sec;
}

void progress_start(struct progress *progress, const struct plan *plan)
{
	*progress = (struct progress){ .total = plan->ops.count, .said_at = seconds() };
	if (progress->total > STEPS_SHOWN)
		log_info("%zu steps to do", progress->total);
}

void progress_step(const struct op *op, void *data)
{
	struct progress *progress = data;
	int64_t now;

	progress->begun++;
	if (progress->total <= STEPS_SHOWN) {
		log_info("%s", op->text);
		return;
	}
	log_debug("%s", op->text);
	now = seconds();
	if (now == progress->said_at)
		return;
	progress->said_at = now;
	log_info("step %zu of %zu: %s", progress->begun, progress->total, op->text);
}
