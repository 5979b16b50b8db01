// SPDX-License-Identifier: GPL-2.0-only
/*
 * tunnel.netns in the life of `run`: waited for, and noticed when it goes or is another one. It is
 * looked at once a second, because that sees everything: a name below /run/netns is made before
 * the namespace is mounted on it, and nothing tells of a process's own below /proc.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/run.h"

#define LOOK_MS 1000

static bool is_same(const struct netns_id *a, const struct netns_id *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/*
 * To listen in a namespace keeps it alive: one that has vanished is let go by moving home. True
 * when that was possible.
 */
static bool listen_in(struct run *run, const char *name)
{
	struct netns netns = NETNS_HOME;
	struct err err;
	int r = name ? netns_open(name, &netns, &err) : 0;

	if (!r)
		r = netns_enter(&netns, &err);
	if (!r) {
		r = kernel_watch_reopen(&run->kernel, &err);
		netns_leave(&netns);
	}
	netns_close(&netns);
	if (r)
		log_warn("run: changes of the network are not noticed: %s", err.text);
	else
		kernel_watch_look(&run->kernel); /* at what changed before */
	return !r;
}

static void follow(struct run *run, const char *name)
{
	struct run_netns *netns = &run->netns;

	netns_identify(name, &netns->seen);
	if (is_same(&netns->seen, &netns->heard))
		return;
	if (listen_in(run, netns->seen.inode ? name : NULL))
		netns->heard = netns->seen; /* else again after the next look at the policy */
}

static void look(void *data)
{
	struct run *run = data;
	struct run_netns *netns = &run->netns;
	struct netns_id before = netns->seen;

	loop_timer_arm(&netns->timer, LOOK_MS);
	netns_identify(netns->name, &netns->seen);
	if (is_same(&netns->seen, &before))
		return;
	if (before.inode)
		log_warn("run: network namespace %s is gone", netns->name);
	if (netns->seen.inode)
		log_info("run: network namespace %s is there", netns->name);
	follow(run, netns->name);
	run_replan(run); /* says what is missing, or sets all up again */
}

int run_netns_open(struct run *run, struct err *err)
{
	return loop_timer_open(&run->netns.timer, &run->loop, false, look, run, err);
}

static void forget(struct run *run)
{
	struct run_netns *netns = &run->netns;

	if (!netns->name)
		return;
	loop_timer_disarm(&netns->timer);
	if (netns->heard.inode)
		(void)listen_in(run, NULL); /* it has said so */
	netns->heard = (struct netns_id){ 0 };
	free(TAKE(netns->name));
}

void run_netns_close(struct run *run)
{
	loop_timer_close(&run->netns.timer);
	free(TAKE(run->netns.name));
}

void run_netns_follow(struct run *run, const struct pipeline *p)
{
	const char *name = p->self->node->tunnel.netns;
	struct run_netns *netns = &run->netns;

	if (netns->name && (!name || strcmp(name, netns->name) != 0))
		forget(run);
	if (name && !netns->name)
		netns->name = mem_copy_string(name);
	if (!netns->name) {
		if (name)
			log_warn("run: out of memory: network namespace %s is not followed", name);
		return;
	}
	follow(run, netns->name);
	loop_timer_arm(&netns->timer, LOOK_MS);
}
