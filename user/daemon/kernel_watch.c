// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel_watch.h"

#include <unistd.h>

#include "base/log.h"
#include "kernel/rt_monitor.h"

/*
 * How many times as long as a look took it is left at that: so mending takes half of a core at
 * the most, looking a quarter, and for what others do it is a twentieth.
 */
#define MENDING_SHARE 1
#define PROMPT_SHARE  3
#define SLOW_SHARE    19
/* After a look that mended something, so that no fight with somebody else keeps us busy. */
#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 8000 /* doubled up to this with each look in vain */

/* Between two reads: thousands of news a second wake us this often, and not one by one. */
#define BREATH_MS 50
/*
 * A peer, a program or a pin that is taken away is no news of netlink's: looked for by ourselves
 * this often, or, where a look costs much, with a hundredth of a core. That is a matter of our own
 * time: others who keep the machine busy are no reason to look less often. What mending cost, as
 * when the verifier was needed, says nothing of the next look.
 */
#define UNASKED_MS        5000
#define UNASKED_SHARE     99
#define UNASKED_FAILED_MS 60000

#define SLOW_CHANGES (RT_CHANGE_FOREIGN_ROUTE | RT_CHANGE_LOST)

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When the next look may be. */
static int64_t prompt_ms(const struct kernel_watch *watch)
{
	if (watch->result == LOOK_FOUND_NOTHING || watch->result == LOOK_WAITS)
		return watch->looked_ms + PROMPT_SHARE * watch->took_ms;
	return watch->looked_ms + later(MENDING_SHARE * watch->took_ms, watch->pause_ms);
}

static int64_t slow_ms(const struct kernel_watch *watch)
{
	return watch->looked_ms + later(SLOW_SHARE * watch->took_ms, watch->pause_ms);
}

static void take_news(void *data);

/* What has come meanwhile is in the socket; what that had no room for is known to be lost. */
static void listen_again(void *data)
{
	struct kernel_watch *watch = data;
	struct err err;

	if (!loop_add(watch->loop, &watch->source, watch->fd, take_news, watch, &err))
		return;
	log_warn("%s; the kernel is listened to again later", err.text);
	loop_timer_arm(&watch->breath, BREATH_MS);
}

static void take_news(void *data)
{
	struct kernel_watch *watch = data;
	unsigned int changes = rt_monitor_read(watch->fd);

	loop_remove(watch->loop, &watch->source);
	loop_timer_arm(&watch->breath, BREATH_MS);
	if (changes & ~SLOW_CHANGES)
		settle_event(&watch->prompt, prompt_ms(watch));
	else if (changes)
		settle_event(&watch->slow, slow_ms(watch));
}

static uint32_t next_pause(const struct kernel_watch *watch, int64_t began_ms)
{
	uint32_t longer = 2 * watch->pause_ms;

	/* the machine has been quiet in between */
	if (watch->result == LOOK_MENDED || watch->result == LOOK_WAITS ||
	    began_ms - watch->looked_ms > longer)
		return PAUSE_MIN_MS;
	return longer < PAUSE_MAX_MS ? longer : PAUSE_MAX_MS;
}

static void arm_unasked(struct kernel_watch *watch)
{
	int64_t share = watch->result == LOOK_MENDED ? MENDING_SHARE : UNASKED_SHARE;
	int64_t pause_ms = later(UNASKED_MS, share * watch->cost_ms);

	if (watch->result == LOOK_FAILED) /* whoever looks tries again by its own clock */
		pause_ms = later(pause_ms, UNASKED_FAILED_MS);
	loop_timer_arm(&watch->unasked, (uint32_t)pause_ms);
}

static void look(void *data)
{
	struct kernel_watch *watch = data;
	int64_t began_ms = loop_now_ms(), spent_ms = loop_spent_ms();

	/* one look sees everything */
	settle_clear(&watch->prompt);
	settle_clear(&watch->slow);
	watch->result = watch->look(watch->data);
	watch->pause_ms = next_pause(watch, began_ms);
	watch->looked_ms = loop_now_ms();
	watch->took_ms = watch->looked_ms - began_ms;
	watch->cost_ms = loop_spent_ms() - spent_ms;
	arm_unasked(watch);
}

void kernel_watch_news(struct kernel_watch *watch)
{
	settle_event(&watch->prompt, prompt_ms(watch));
}

void kernel_watch_look(struct kernel_watch *watch)
{
	settle_event(&watch->prompt, 0);
}

static int open_timers(struct kernel_watch *watch, struct loop *loop, struct err *err)
{
	int r = settle_open(&watch->prompt, loop, look, watch, err);

	if (!r)
		r = settle_open(&watch->slow, loop, look, watch, err);
	if (!r)
		r = loop_timer_open(&watch->breath, loop, false, listen_again, watch, err);
	if (!r)
		r = loop_timer_open(&watch->unasked, loop, false, look, watch, err);
	if (!r)
		arm_unasked(watch);
	return r;
}

int kernel_watch_open(struct kernel_watch *watch, struct loop *loop,
		      enum look (*look_at)(void *data), void *data, struct err *err)
{
	int fd;
	int r = rt_monitor_open(&fd, err);

	if (r)
		return r;
	watch->look = look_at;
	watch->data = data;
	watch->pause_ms = PAUSE_MIN_MS;
	r = loop_add(loop, &watch->source, fd, take_news, watch, err);
	if (r) {
		close(fd);
		return r;
	}
	watch->fd = fd;
	watch->loop = loop;
	return open_timers(watch, loop, err);
}

/* Should that fail, the unasked look finds what is not told. */
static void choose_tables(struct kernel_watch *watch, bool others)
{
	struct err err;

	if (rt_monitor_set_others(watch->fd, others, &err))
		log_warn("%s", err.text);
	else
		watch->others = others;
}

void kernel_watch_others(struct kernel_watch *watch, bool others)
{
	if (watch->others != others)
		choose_tables(watch, others);
}

int kernel_watch_reopen(struct kernel_watch *watch, struct err *err)
{
	int fd;
	int r = rt_monitor_open(&fd, err);

	if (r)
		return r;
	loop_timer_disarm(&watch->breath);
	loop_remove(watch->loop, &watch->source);
	close(watch->fd);
	watch->fd = fd;
	if (watch->others)
		choose_tables(watch, true);
	return loop_add(watch->loop, &watch->source, fd, take_news, watch, err);
}

void kernel_watch_close(struct kernel_watch *watch)
{
	if (!watch->loop)
		return;
	settle_close(&watch->prompt);
	settle_close(&watch->slow);
	loop_timer_close(&watch->breath);
	loop_timer_close(&watch->unasked);
	loop_remove(watch->loop, &watch->source);
	close(watch->fd);
	watch->loop = NULL;
}
