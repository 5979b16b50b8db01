// SPDX-License-Identifier: GPL-2.0-only
/* The tunnel and the LAN devices: their rows and the programs on them. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/want_parts.h"

static bool has_device(const struct state *out, const char *name)
{
	const struct state_device *device;

	array_for_each(device, &out->devices)
		if (!strcmp(device->name, name))
			return true;
	return false;
}

static bool is_advertised_here(const struct view *view, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < view->policy->routes.count; i++)
		if (view->routes[i].kind == TP_ROUTE_LAN &&
		    !prefix_is_default(&view->routes[i].route->prefix) &&
		    prefix_has_addr(&view->routes[i].route->prefix, addr))
			return true;
	return false;
}

/* What to masquerade as: the device's first lasting address, one of an advertised LAN first. */
static struct addr masquerade_addr(const struct view *view, uint32_t ifindex, bool v4)
{
	const struct facts_addr *addr, *first = NULL;

	array_for_each(addr, &view->facts->addrs) {
		if (addr->ifindex != ifindex || addr_is_v4(&addr->addr) != v4)
			continue;
		if (addr->temporary || addr->link_scope)
			continue;
		if (is_advertised_here(view, &addr->addr))
			return addr->addr;
		if (!first)
			first = addr;
	}
	return first ? first->addr : (struct addr){ 0 };
}

static uint16_t device_mtu(uint32_t mtu)
{
	return mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
}

static bool is_xdp_forced(const struct config_node *node)
{
	return node->xdp == XDP_NATIVE || node->xdp == XDP_GENERIC;
}

/* 2: the kernel itself would rather send from a temporary address (RFC 8981). */
static bool prefers_temporary(const struct view *view, const char *device)
{
	const struct facts_sysctl *sysctl;
	char path[sizeof(sysctl->path)];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/use_tempaddr", device);
	array_for_each(sysctl, &view->facts->sysctls)
		if (!strcmp(sysctl->path, path))
			return sysctl->value >= 2;
	return false;
}

static uint16_t lan_flags(const struct view *view, const char *device)
{
	const struct config_node *node = view->self->node;
	uint16_t flags = 0;

	if (node->lan_to_lan == LAN_TO_LAN_JUDGE)
		flags |= TP_DEV_JUDGE;
	if (is_xdp_forced(node))
		flags |= TP_DEV_XDP_FORCED;
	if (prefers_temporary(view, device))
		flags |= TP_DEV_KEEP_ADDR6;
	return flags;
}

static int add_lan(struct want_builder *b, const struct facts_link *link)
{
	struct state_device *device;
	struct addr addr4, addr6;

	if (has_device(b->out, link->name))
		return 0;
	device = array_add(&b->out->devices);
	if (!device)
		return want_no_memory(b);

	memcpy(device->name, link->name, sizeof(device->name));
	device->ifindex = link->ifindex;
	device->device.role = TP_DEV_LAN;
	device->device.flags = lan_flags(b->view, link->name);
	device->device.mtu = device_mtu(link->mtu);
	memcpy(device->device.mac, link->mac, sizeof(device->device.mac));
	addr4 = masquerade_addr(b->view, link->ifindex, true);
	addr6 = masquerade_addr(b->view, link->ifindex, false);
	memcpy(&device->device.addr4, &addr4, sizeof(addr4));
	memcpy(&device->device.addr6, &addr6, sizeof(addr6));
	return 0;
}

static int add_tunnel(struct want_builder *b)
{
	const struct state_tunnel *tunnel = &b->out->tunnel;
	const struct facts_link *link = facts_find_link(b->view->facts, tunnel->name);
	const struct addr *addr4 = want_mesh_addr(b->view, true);
	const struct addr *addr6 = want_mesh_addr(b->view, false);
	struct state_device *device = array_add(&b->out->devices);

	if (!device)
		return want_no_memory(b);

	memcpy(device->name, tunnel->name, sizeof(device->name));
	device->ifindex = link ? link->ifindex : 0; /* the executor knows it once it exists */
	device->device.role = TP_DEV_TUNNEL;
	device->device.mtu = device_mtu(tunnel->mtu);
	if (addr4)
		memcpy(&device->device.addr4, addr4, sizeof(*addr4));
	if (addr6)
		memcpy(&device->device.addr6, addr6, sizeof(*addr6));
	return 0;
}

static bool can_be_lan(const struct want_builder *b, const struct facts_link *link)
{
	return !link->loopback && !link->ours && strcmp(link->name, b->out->tunnel.name) != 0;
}

static int add_named(struct want_builder *b, const struct config_text *glob)
{
	const struct facts_link *link;
	bool found = false;
	int r = 0;

	array_for_each(link, &b->view->facts->links) {
		if (r || !can_be_lan(b, link) || fnmatch(glob->text, link->name, 0) != 0)
			continue;
		found = true;
		r = add_lan(b, link);
	}
	if (!r && !found)
		r = problems_add(b->warnings, glob->place, "no device matches \"%s\"", glob->text);
	return r;
}

/* The devices that hold a part of the prefix themselves. */
static int add_holders(struct want_builder *b, const struct prefix *prefix, bool *found)
{
	const struct facts_addr *addr;
	const char *name;
	int r = 0;

	array_for_each(addr, &b->view->facts->addrs) {
		struct prefix connected = guard_connected(addr);

		if (r || !guard_is_lan(&b->view->guard, addr, &name))
			continue;
		if (!prefix_contains(prefix, &connected) && !prefix_contains(&connected, prefix))
			continue;
		*found = true;
		r = add_lan(b, facts_find_ifindex(b->view->facts, addr->ifindex));
	}
	return r;
}

static const struct facts_link *find_way(const struct want_builder *b, const struct prefix *prefix)
{
	const struct facts_route *route = facts_find_route(b->view->facts, &prefix->addr);
	const struct facts_link *link;

	if (!route || !route->ifindex)
		return NULL;
	link = facts_find_ifindex(b->view->facts, route->ifindex);
	return link && can_be_lan(b, link) ? link : NULL;
}

/* An exit route leaves by the default route; every LAN lies inside it, and none is meant. */
static int add_default(struct want_builder *b, const struct view_route *route)
{
	const struct prefix *prefix = &route->route->prefix;
	char text[PREFIX_TEXT_SIZE];
	const struct facts_link *way;
	bool found = false;
	int r = 0;

	if (!prefix_is_default(prefix))
		r = add_holders(b, prefix, &found);
	if (r || found)
		return r;

	way = find_way(b, prefix);
	if (!way)
		return err_set(b->err, -ENODEV,
			       "no device leads to %s, which %s advertises: "
			       "set nodes.%s.lan_interfaces",
			       prefix_put(text, prefix), b->view->self->name, b->view->self->name);
	return add_lan(b, way);
}

static int add_lans(struct want_builder *b)
{
	const struct config_texts *globs = &b->view->self->node->lan_interfaces;
	const struct config_text *glob;
	bool advertises = false;
	size_t i;
	int r = 0;

	array_for_each(glob, globs)
		if (!r)
			r = add_named(b, glob);
	for (i = 0; !r && i < b->view->policy->routes.count; i++) {
		if (b->view->routes[i].kind != TP_ROUTE_LAN)
			continue;
		advertises = true;
		if (!globs->count)
			r = add_default(b, &b->view->routes[i]);
	}
	if (!r && advertises && !b->out->devices.count)
		r = err_set(b->err, -ENODEV,
			    "%s advertises routes, but no device matches its lan_interfaces: "
			    "set nodes.%s.lan_interfaces",
			    b->view->self->name, b->view->self->name);
	return r;
}

/* A backend that no route of the mesh leads to: its answers must meet our programs as well. */
static int add_stray(struct want_builder *b, const struct addr *backend)
{
	struct prefix host = prefix_host(backend);
	const struct facts_link *way;

	if (facts_has_addr(b->view->facts, backend))
		return 0; /* it answers for itself */
	way = find_way(b, &host);
	return way ? add_lan(b, way) : 0;
}

static int add_strays(struct want_builder *b)
{
	struct config_addrs strays = { 0 };
	const struct addr *backend;
	int r = view_find_strays(b->view, &strays);

	if (r)
		want_no_memory(b);
	array_for_each(backend, &strays)
		if (!r)
			r = add_stray(b, backend);
	array_clear(&strays);
	return r;
}

static int attach(struct want_builder *b, const struct state_device *device, enum state_hook hook,
		  enum state_xdp xdp)
{
	struct state_attachment *attachment = array_add(&b->out->attachments);

	if (!attachment)
		return want_no_memory(b);

	memcpy(attachment->device, device->name, sizeof(attachment->device));
	attachment->ifindex = device->ifindex;
	attachment->hook = hook;
	attachment->xdp = xdp;
	return 0;
}

/* Nobody asked for XDP by name: what stands in its way is worth a word, not a failure. */
static int pass_over(struct want_builder *b, const struct facts_link *link)
{
	AUTO_FREE char *place = mem_format("%s.xdp", b->view->self->node->place);

	if (!place)
		return want_no_memory(b);
	return problems_add(b->warnings, place,
			    "%s runs an XDP program that is not ours (%s, id %u): it stays, and "
			    "there is no XDP of towpath's on %s",
			    link->name, link->xdp.name, link->xdp.program, link->name);
}

/*
 * Only where a card is behind the device. XDP in the driver of a veth turns GSO off at its other
 * end, which cuts TCP to about a third; and what comes out of a VLAN, a bridge or a tun has been
 * a whole socket buffer before.
 */
static int attach_xdp_auto(struct want_builder *b, const struct state_device *device,
			   const struct facts_link *link)
{
	if (!link->hardware || !link->ethernet)
		return 0;
	if (link->xdp.program)
		return pass_over(b, link);
	return attach(b, device, HOOK_XDP_LAN, STATE_XDP_AUTO);
}

static int attach_xdp_forced(struct want_builder *b, const struct state_device *device,
			     const struct facts_link *link)
{
	const struct config_node *node = b->view->self->node;

	if (!link->ethernet)
		return err_set(b->err, -EOPNOTSUPP,
			       "%s is no Ethernet device, and XDP of towpath's is for these alone: "
			       "set nodes.%s.xdp to \"auto\" or \"off\"",
			       link->name, node->name);
	if (link->xdp.program)
		return err_set(b->err, -EBUSY,
			       "%s runs an XDP program that is not ours (%s, id %u): remove it, or "
			       "set nodes.%s.xdp to \"auto\" or \"off\"",
			       link->name, link->xdp.name, link->xdp.program, node->name);
	return attach(b, device, HOOK_XDP_LAN,
		      node->xdp == XDP_NATIVE ? STATE_XDP_NATIVE : STATE_XDP_GENERIC);
}

static int attach_xdp(struct want_builder *b, const struct state_device *device)
{
	const struct config_node *node = b->view->self->node;
	const struct facts_link *link = facts_find_ifindex(b->view->facts, device->ifindex);

	if (!link || node->xdp == XDP_OFF)
		return 0;
	return is_xdp_forced(node) ? attach_xdp_forced(b, device, link)
				   : attach_xdp_auto(b, device, link);
}

/* XDP last: what it leaves to tc must find tc there. */
static int attach_all(struct want_builder *b)
{
	const struct state_device *device;
	int r = 0;

	array_for_each(device, &b->out->devices) {
		bool tunnel = device->device.role == TP_DEV_TUNNEL;

		if (!r)
			r = attach(b, device, tunnel ? HOOK_TC_TUNNEL : HOOK_TC_LAN,
				   STATE_XDP_AUTO);
		if (!r)
			r = attach(b, device, HOOK_TC_EGRESS, STATE_XDP_AUTO);
		if (!r && !tunnel)
			r = attach_xdp(b, device);
	}
	return r;
}

static int device_compare(const void *a, const void *b)
{
	const struct state_device *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int want_devices(struct want_builder *b)
{
	int r;

	r = add_lans(b);
	if (!r)
		r = add_strays(b);
	if (!r)
		r = add_tunnel(b);
	if (r)
		return r;

	qsort(b->out->devices.items, b->out->devices.count, sizeof(*b->out->devices.items),
	      device_compare);
	return attach_all(b);
}
