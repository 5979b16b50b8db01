/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Says when the kernel's network may have changed, for somebody who then looks at all of it. How
 * often that is depends on how long a look takes and whether it was worth it: a machine with
 * thousands of route changes a second shall not be kept busy by us.
 */
#ifndef TP_DAEMON_KERNEL_WATCH_H
#define TP_DAEMON_KERNEL_WATCH_H

#include "base/err.h"
#include "daemon/loop.h"
#include "daemon/settle.h"

/* LOOK_WAITS: for what is not there, and is to be seen soon after it has come. */
enum look { LOOK_FOUND_NOTHING, LOOK_MENDED, LOOK_FAILED, LOOK_WAITS };

/* At a place that does not change; zeroed before kernel_watch_open. */
struct kernel_watch {
	struct loop *loop;
	int fd;
	bool others;               /* routes of other tables count */
	struct loop_source source; /* of fd; removed while we take a breath */
	struct loop_timer breath;
	struct settle prompt;      /* what we made may be gone */
	struct settle slow;        /* routes of others, or we do not know what */
	struct loop_timer unasked; /* what the kernel tells nobody */
	int64_t looked_ms; /* when the last look ended, how long it took, and what came of it */
	int64_t took_ms, cost_ms; /* the latter of the CPU's time */
	enum look result;
	uint32_t pause_ms; /* grows with looks in vain */
	enum look (*look)(void *data);
	void *data;
};

/* Of the netns that the caller is in. */
int kernel_watch_open(struct kernel_watch *watch, struct loop *loop, enum look (*look)(void *data),
		      void *data, struct err *err);
/* The same in the netns that the caller is in by now. */
int kernel_watch_reopen(struct kernel_watch *watch, struct err *err);
/* Whether routes matter that are neither in the main table nor in ours; at first they do not. */
void kernel_watch_others(struct kernel_watch *watch, bool others);
void kernel_watch_close(struct kernel_watch *watch);

/* Something of ours is gone, and not from the network: as if the kernel had told of it. */
void kernel_watch_news(struct kernel_watch *watch);
/* Somebody else knows of a change: looks soon, however often that was in vain. */
void kernel_watch_look(struct kernel_watch *watch);

#endif
