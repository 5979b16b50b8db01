// SPDX-License-Identifier: GPL-2.0-only
/* The timers of loop.h. */
#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop.h"

/* As far as any clock goes: timerfd refuses what does not fit its nanoseconds. */
#define NEVER (INT64_MAX / 1000000000 - 1)

static int64_t clock_ms(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time); /* cannot fail: the clock exists */
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t loop_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t loop_spent_ms(void)
{
	return clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

static void expire(void *data)
{
	struct loop_timer *timer = data;
	uint64_t times;

	/* EAGAIN: it was armed anew meanwhile. ECANCELED: the clock was set. */
	if (read(timer->source.fd, &times, sizeof(times)) < 0 && errno != ECANCELED)
		return;
	timer->due(timer->data);
}

int loop_timer_open(struct loop_timer *timer, struct loop *loop, bool wall, void (*due)(void *data),
		    void *data, struct err *err)
{
	int clock = wall ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	int fd = timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK);
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "make a timer");
	*timer = (struct loop_timer){ .due = due, .data = data };
	r = loop_add(loop, &timer->source, fd, expire, timer, err);
	if (r)
		close(fd);
	else
		timer->loop = loop;
	return r;
}

void loop_timer_close(struct loop_timer *timer)
{
	if (!timer->loop)
		return;
	loop_remove(timer->loop, &timer->source);
	close(timer->source.fd);
	timer->loop = NULL;
}

static void set(struct loop_timer *timer, int flags, struct timespec when)
{
	const struct itimerspec spec = { .it_value = when };

	/* cannot fail: the descriptor is a timer's and the time is in range */
	(void)timerfd_settime(timer->source.fd, flags, &spec, NULL);
}

void loop_timer_arm(struct loop_timer *timer, uint32_t delay_ms)
{
	const struct timespec when = { .tv_sec = delay_ms / 1000,
				       .tv_nsec = (long)(delay_ms % 1000) * 1000000 };

	set(timer, 0, when);
}

void loop_timer_disarm(struct loop_timer *timer)
{
	set(timer, 0, (struct timespec){ 0 });
}

void loop_timer_arm_at(struct loop_timer *timer, int64_t second)
{
	/* zero would disarm it, and is long past either way */
	const int64_t at = second < 1 ? 1 : second > NEVER ? NEVER : second;

	set(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, (struct timespec){ .tv_sec = at });
}
