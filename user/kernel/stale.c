// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/stale.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/bpf_led.h"
#include "kernel/bpf_netns.h"
#include "kernel/netns_walk.h"
#include "kernel/nl_udp.h"

struct sweep {
	const struct socket_lb *want;
	struct led_sockets stale; /* sorted by cookie */
	struct err said;          /* in a namespace; no code: nothing */
};

static int led_compare(const void *a, const void *b)
{
	const struct tp_led *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static bool is_exempt(const struct socket_lb *want, uint64_t cookie)
{
	const struct exempt_row key = { .cookie = cookie };

	return want->exempt.count &&
	       bsearch(&key, want->exempt.items, want->exempt.count, sizeof(key), exempt_compare);
}

/* Still connected to that backend: one that was connected anew meanwhile is no more ours. */
static bool is_stale(const struct sweep *sweep, const struct nl_udp_socket *socket)
{
	const struct tp_led key = { .cookie = socket->cookie }, *led;

	led = bsearch(&key, sweep->stale.items, sweep->stale.count, sizeof(key), led_compare);
	return led && !memcmp(&led->rev.backend, &socket->peer, sizeof(socket->peer)) &&
	       led->rev.backend_port == socket->id.idiag_dport;
}

/* In *count how many there were. */
static int close_found(struct sweep *sweep, size_t *count)
{
	struct nl_udp_sockets found = { 0 };
	const struct nl_udp_socket *socket;
	int r = nl_udp_find(&found, &sweep->said);

	*count = 0;
	array_for_each(socket, &found) {
		if (r || !is_stale(sweep, socket))
			continue;
		r = nl_udp_close(socket, &sweep->said);
		(*count)++;
	}
	array_clear(&found);
	return r;
}

/*
 * The kernel looks for who is to be closed by addresses and ports, and of several that share them
 * (SO_REUSEPORT) it finds one: the others have their turn when that has gone.
 */
static int close_inside(void *data, const struct netns_id *id, const char *name)
{
	size_t before = SIZE_MAX, count = 0;
	struct sweep *sweep = data;
	int r;

	(void)id;
	(void)name; /* all are alike, but for those that are exempt */
	if (is_exempt(sweep->want, bpf_netns_cookie()))
		return 0;
	r = close_found(sweep, &count);
	while (!r && count && count < before) {
		before = count;
		r = close_found(sweep, &count);
	}
	return r;
}

static int walk(struct sweep *sweep, struct err *err)
{
	struct netns_walk walk = { .visit = close_inside, .data = sweep, .home = -1 };
	int r = netns_walk_open(&walk);

	if (!r)
		r = netns_walk_named(&walk);
	if (!r)
		r = netns_walk_processes(&walk);
	netns_walk_close(&walk);
	if (r && sweep->said.code)
		return err_set(err, r, "close sockets of removed backends: %s", sweep->said.text);
	return r ? err_sys(err, r, "close sockets of removed backends") : 0;
}

static void keep_stale(struct led_sockets *led, const struct socket_lb *want)
{
	size_t i, kept = 0;

	for (i = 0; i < led->count; i++)
		if (!socket_lb_leads(want, IPPROTO_UDP, &led->items[i].rev))
			led->items[kept++] = led->items[i];
	led->count = kept;
}

/* The namespaces are only walked when there is any such socket. */
int stale_close(const struct bpf *bpf, const struct socket_lb *want, struct err *err)
{
	struct sweep sweep = { .want = want };
	int r = bpf_read_led(bpf, &sweep.stale, err);

	keep_stale(&sweep.stale, want);
	if (!r && sweep.stale.count) {
		qsort(sweep.stale.items, sweep.stale.count, sizeof(*sweep.stale.items),
		      led_compare);
		r = walk(&sweep, err);
	}
	array_clear(&sweep.stale);
	return r;
}

bool stale_can_close(void)
{
	return nl_udp_can_close() && bpf_can_read_led();
}
