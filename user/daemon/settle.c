// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/settle.h"

int settle_open(struct settle *settle, struct loop *loop, void (*settled)(void *data), void *data,
		struct err *err)
{
	settle->first_ms = 0;
	return loop_timer_open(&settle->timer, loop, false, settled, data, err);
}

void settle_close(struct settle *settle)
{
	loop_timer_close(&settle->timer);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void settle_event(struct settle *settle, int64_t not_before_ms)
{
	int64_t now = loop_now_ms(), due;

	if (!settle->first_ms)
		settle->first_ms = now;
	due = earlier(now + SETTLE_QUIET_MS, settle->first_ms + SETTLE_MAX_MS);
	if (due < not_before_ms)
		due = not_before_ms;
	if (due > now) /* otherwise the timer is about to expire as it is */
		loop_timer_arm(&settle->timer, (uint32_t)(due - now));
}

void settle_clear(struct settle *settle)
{
	settle->first_ms = 0;
	loop_timer_disarm(&settle->timer);
}
