// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/observe.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/nl.h"
#include "kernel/rt.h"
#include "kernel/wg.h"

/* ---- addresses of ours on LAN devices ---------------------------------------------------- */

static int compare_lan_addresses(const void *a, const void *b)
{
	const struct state_lan_address *left = a;
	const struct state_lan_address *right = b;
	int r = strcmp(left->device, right->device);

	return r ? r : addr_compare(&left->addr, &right->addr);
}

/* Another instance has other devices. */
static const struct state_device *find_lan(const struct state *have, uint32_t ifindex)
{
	const struct state_device *device;

	array_for_each(device, &have->devices)
		if (device->ifindex == ifindex && device->device.role == TP_DEV_LAN)
			return device;
	return NULL;
}

int observe_lan_addresses(struct state *have, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	struct rt_addrs addrs = { 0 };
	const struct rt_addr *addr;
	int r = nl_open(NETLINK_ROUTE, &nl, err);

	if (!r)
		r = rt_dump_addrs(nl, &addrs, err);
	array_for_each(addr, &addrs) {
		const struct state_device *device = find_lan(have, addr->facts.ifindex);
		struct state_lan_address *added;

		if (r || !device || addr->protocol != TP_RTPROT)
			continue;
		added = array_add(&have->lan_addresses);
		if (!added) {
			r = err_sys(err, -ENOMEM, "list addresses");
			continue;
		}
		memcpy(added->device, device->name, sizeof(added->device));
		added->addr = addr->facts.addr;
	}
	array_clear(&addrs);
	if (have->lan_addresses.count)
		qsort(have->lan_addresses.items, have->lan_addresses.count,
		      sizeof(*have->lan_addresses.items), compare_lan_addresses);
	return r;
}

/* ---- tunnel and routes ------------------------------------------------------------------- */

static int compare_addrs(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static int read_tunnel_addrs(struct nl *nl, struct state_tunnel *tunnel, struct err *err)
{
	struct rt_addrs addrs = { 0 };
	struct rt_addr *addr;
	int r = rt_dump_addrs(nl, &addrs, err);

	array_for_each(addr, &addrs) {
		struct addr *added;

		if (r || addr->facts.ifindex != tunnel->ifindex || addr->facts.len != 128 ||
		    addr_is_link_local(&addr->facts.addr))
			continue;
		added = array_add(&tunnel->addresses);
		if (added)
			*added = addr->facts.addr;
		else
			r = err_sys(err, -ENOMEM, "list addresses");
	}

	array_clear(&addrs);
	if (!r && tunnel->addresses.count)
		qsort(tunnel->addresses.items, tunnel->addresses.count, sizeof(struct addr),
		      compare_addrs);
	return r;
}

static int compare_routes(const void *a, const void *b)
{
	const struct state_route *left = a;
	const struct state_route *right = b;
	int r = prefix_compare(&left->prefix, &right->prefix);

	if (!r)
		r = (left->table > right->table) - (left->table < right->table);
	return r ? r : (left->metric > right->metric) - (left->metric < right->metric);
}

static int take_tunnel_routes(const struct rt_routes *ours, struct state *state, struct err *err)
{
	const struct rt_route *route;

	array_for_each(route, ours) {
		struct state_route *added;

		if (route->facts.ifindex != state->tunnel.ifindex)
			continue;
		added = array_add(&state->routes);
		if (!added)
			return err_sys(err, -ENOMEM, "list routes");
		added->prefix = route->facts.prefix;
		added->table = route->table;
		added->metric = route->facts.metric;
		added->prefsrc = route->facts.prefsrc;
		added->mtu = route->mtu;
	}
	array_fit(&state->routes);
	if (state->routes.count)
		qsort(state->routes.items, state->routes.count, sizeof(struct state_route),
		      compare_routes);
	return 0;
}

/* wireguard-go is ending or has ended, before it was asked or before it answered. */
static bool nobody_answers(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET || r == -EPIPE;
}

static int read_wireguard(struct state_tunnel *tunnel, struct err *err)
{
	struct wg_device device;
	int r = wg_open(&device, tunnel->backend, tunnel->name, err);

	if (r)
		return r;
	r = wg_get(&device, tunnel, err);
	wg_close(&device);

	/* `down` must still see the device */
	if (tunnel->backend == STATE_BACKEND_USERSPACE && nobody_answers(r))
		return 0;
	return r;
}

static void fill_tunnel(const struct rt_link *link, struct state_tunnel *tunnel)
{
	bool in_kernel = !strcmp(link->facts.kind, "wireguard");

	tunnel->exists = true;
	snprintf(tunnel->name, sizeof(tunnel->name), "%s", link->facts.name);
	tunnel->ifindex = link->facts.ifindex;
	tunnel->backend = in_kernel ? STATE_BACKEND_KERNEL : STATE_BACKEND_USERSPACE;
	tunnel->up = link->facts.up;
	tunnel->mtu = link->facts.mtu;
}

/* Fills state when there is a device of ours; -ENODEV when that went while it was looked at. */
static int read_state(struct nl *nl, const struct rt_routes *ours, const char *instance,
		      const char *name, struct state *state, struct err *err)
{
	struct rt_link link;
	int r = rt_find_link(nl, name, &link, err);

	if (r == -ENODEV)
		return 0;
	if (r || !rt_link_is_ours(&link, instance))
		return r;

	fill_tunnel(&link, &state->tunnel);
	state->exists = true;

	r = read_wireguard(&state->tunnel, err);
	if (!r)
		r = read_tunnel_addrs(nl, &state->tunnel, err);
	if (!r)
		r = take_tunnel_routes(ours, state, err);
	return r;
}

/* A device that goes meanwhile is looked for anew, and another may have come. */
#define LOOKS 3

static int read_settled_state(struct nl *nl, const struct rt_routes *ours, const char *instance,
			      const char *name, struct state *state, struct err *err)
{
	int looks, r = -ENODEV;

	for (looks = 0; looks < LOOKS && r == -ENODEV; looks++) {
		state_free(state);
		r = read_state(nl, ours, instance, name, state, err);
	}
	return r;
}

int observe_net(struct state *have, const struct rt_routes *ours, const char *instance,
		const char *tunnel_name, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	struct state found = { 0 };
	int r;

	r = nl_open(NETLINK_ROUTE, &nl, err);
	if (!r)
		r = read_settled_state(nl, ours, instance, tunnel_name, &found, err);
	if (r) {
		state_free(&found);
		return err_wrap(err, r, "look at tunnel %s", tunnel_name);
	}

	have->exists |= found.exists;
	have->tunnel = found.tunnel;
	have->routes = found.routes;
	key_wipe(&found.tunnel.private_key);
	return 0;
}
