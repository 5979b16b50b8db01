/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An event loop: descriptors, and who is to be called when one can be read. One thread; nothing
 * that is called may block. What waits for time is a timer, a descriptor as well.
 */
#ifndef TP_DAEMON_LOOP_H
#define TP_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * In the memory of whoever owns the descriptor, at a place that does not change; zeroed before
 * loop_add. Only its owner may remove it, but at any time, also while it is being called.
 */
struct loop_source {
	int fd;
	void (*ready)(void *data);
	void *data;
};

struct loop {
	int epoll_fd;
	bool leaving;
};

int loop_open(struct loop *loop, struct err *err);
void loop_close(struct loop *loop);

/* Calls source->ready whenever fd can be read. The fd stays the caller's. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, void (*ready)(void *data),
	     void *data, struct err *err);
/* The same when it is connected, or cannot be. */
int loop_add_connecting(struct loop *loop, struct loop_source *source, int fd,
			void (*ready)(void *data), void *data, struct err *err);
/* Before the fd is closed. One that was never added, or was removed, is fine. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* Until loop_leave. 0, or what epoll_wait failed with. */
int loop_run(struct loop *loop, struct err *err);
void loop_leave(struct loop *loop);

/* ---- timers ---- */

int64_t loop_now_ms(void);   /* CLOCK_MONOTONIC */
int64_t loop_spent_ms(void); /* of the CPU's time, by this thread */

struct loop_timer {
	struct loop *loop;
	struct loop_source source;
	void (*due)(void *data);
	void *data;
};

/* Not armed. It goes by CLOCK_MONOTONIC, or, of the wall kind, by the calendar. */
int loop_timer_open(struct loop_timer *timer, struct loop *loop, bool wall, void (*due)(void *data),
		    void *data, struct err *err);
void loop_timer_close(struct loop_timer *timer); /* one that was never opened is fine */

/* Once, delay_ms from now; again before that: from now anew. */
void loop_timer_arm(struct loop_timer *timer, uint32_t delay_ms);
void loop_timer_disarm(struct loop_timer *timer);
/*
 * A wall timer: at that second since the epoch, or as soon as somebody sets the clock; never by
 * itself for INT64_MAX.
 */
void loop_timer_arm_at(struct loop_timer *timer, int64_t second);

#endif
