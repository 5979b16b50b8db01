/* SPDX-License-Identifier: GPL-2.0-only */
/* Many events, one call: it comes when they have stopped, or when they do not stop. */
#ifndef TP_DAEMON_SETTLE_H
#define TP_DAEMON_SETTLE_H

#include "daemon/loop.h"

#define SETTLE_QUIET_MS 100 /* after the last event */
#define SETTLE_MAX_MS   500 /* after the first one */

/* At a place that does not change; zeroed before settle_open. */
struct settle {
	struct loop_timer timer;
	int64_t first_ms; /* when what is being settled began; 0 = nothing is */
};

int settle_open(struct settle *settle, struct loop *loop, void (*settled)(void *data), void *data,
		struct err *err);
void settle_close(struct settle *settle); /* one that was never opened is fine */

/* Something has happened. settled does not come before not_before_ms, a time of loop_now_ms. */
void settle_event(struct settle *settle, int64_t not_before_ms);
/* Forgets what has happened. settled begins with this. */
void settle_clear(struct settle *settle);

#endif
