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
	*progress = (struct progress){
		.plan = plan,
		.total = plan->ops.count,
		.said_at = seconds(),
	};
	if (progress->total > STEPS_SHOWN)
		log_info("%zu steps to do", progress->total);
}

static void say(const struct progress *progress, enum log_level level, const struct op *op)
{
	char text[OP_TEXT_SIZE];

	if (log_shows(level))
		log_line(level, "%s", op_text(text, progress->plan, op));
}

void progress_step(const struct op *op, void *data)
{
	struct progress *progress = data;
	char text[OP_TEXT_SIZE];
	int64_t now;

	progress->begun++;
	if (progress->total <= STEPS_SHOWN) {
		say(progress, LOG_LEVEL_INFO, op);
		return;
	}
	say(progress, LOG_LEVEL_DEBUG, op);
	now = seconds();
	if (now == progress->said_at)
		return;
	progress->said_at = now;
	log_info("step %zu of %zu: %s", progress->begun, progress->total,
		 op_text(text, progress->plan, op));
}
