// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exempt network namespaces in the life of `run`: a pod that starts again is another namespace, and
 * a device may come into one at any time. Nothing tells of either, so they are looked for. Of a new
 * cgroup whose sockets are to be hidden, the kernel tells.
 */
#include <string.h>

#include "base/log.h"
#include "cmd/run.h"

#define LOOK_MS 1000

static bool is_same(const struct exempt_rows *a, const struct exempt_rows *b)
{
	return a->count == b->count &&
	       (!a->count || !memcmp(a->items, b->items, a->count * sizeof(*a->items)));
}

static void look(void *data)
{
	struct run *run = data;
	struct run_exempt *exempt = &run->exempt;
	struct exempt_rows found = { 0 };
	struct err err;
	bool changed;

	loop_timer_arm(&exempt->timer, LOOK_MS);
	if (exempt_find(exempt->rules.items, exempt->rules.count, &found, &err)) {
		log_warn("run: %s", err.text);
		array_clear(&found);
		return;
	}
	changed = !is_same(&found, &exempt->seen);
	array_clear(&exempt->seen);
	exempt->seen = found;
	if (changed)
		run_replan(run);
}

static void came(void *data)
{
	struct run *run = data;

	kernel_watch_news(&run->kernel);
}

int run_exempt_open(struct run *run, struct err *err)
{
	int r = loop_timer_open(&run->exempt.timer, &run->loop, false, look, run, err);

	return r ? r : dir_watch_open(&run->exempt.below, &run->loop, came, run, err);
}

void run_exempt_close(struct run *run)
{
	dir_watch_close(&run->exempt.below);
	loop_timer_close(&run->exempt.timer);
	exempts_free(&run->exempt.rules);
	array_clear(&run->exempt.seen);
}

void run_exempt_follow(struct run *run, const struct pipeline *p)
{
	struct run_exempt *exempt = &run->exempt;

	if (p->want.socket_lb.stays)
		return;
	exempts_free(&exempt->rules);
	loop_timer_disarm(&exempt->timer);
	if (!p->want.socket_lb.settings.cgroup[0])
		return;
	if (p->want.socket_lb.settings.hide & TP_HIDE_BELOW)
		/* where that fails, they are still looked for every few seconds */
		(void)dir_watch_add(&exempt->below, p->want.socket_lb.settings.cgroup,
				    DIR_WATCH_NEW);
	if (exempts_read(p->policy, p->self, &exempt->rules)) {
		log_warn("run: out of memory: exempt network namespaces are not followed");
		exempts_free(&exempt->rules);
	}
	if (exempt->rules.count)
		loop_timer_arm(&exempt->timer, LOOK_MS);
}
