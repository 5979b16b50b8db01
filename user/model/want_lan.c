// SPDX-License-Identifier: GPL-2.0-only
/* Fixed SNAT addresses: on which LAN device they belong, and whether they are free to be ours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/want_parts.h"

static const struct state_device *find_lan(const struct want_builder *b, uint32_t ifindex)
{
	const struct state_device *device;

	array_for_each(device, &b->out->devices)
		if (device->ifindex == ifindex && device->device.role == TP_DEV_LAN)
			return device;
	return NULL;
}

/* A LAN that the address lies in is where it is asked for; otherwise the way to the route. */
static const struct state_device *find_place(const struct want_builder *b,
					     const struct policy_route *route)
{
	const struct facts_route *way = facts_find_route(b->view->facts, &route->prefix.addr);
	const struct facts_addr *addr;

	array_for_each(addr, &b->view->facts->addrs) {
		struct prefix connected = guard_connected(addr);

		if (prefix_has_addr(&connected, route->snat_addr) && find_lan(b, addr->ifindex))
			return find_lan(b, addr->ifindex);
	}
	return way ? find_lan(b, way->ifindex) : NULL;
}

static int check_free(const struct want_builder *b, const struct policy_route *route)
{
	char prefix[PREFIX_TEXT_SIZE], text[ADDR_TEXT_SIZE];
	const struct facts_link *link;
	const struct facts_addr *addr;

	array_for_each(addr, &b->view->facts->addrs) {
		if (addr_compare(&addr->addr, route->snat_addr) != 0)
			continue;
		link = facts_find_ifindex(b->view->facts, addr->ifindex);
		return err_set(b->err, -EADDRINUSE,
			       "routes.%s.snat: %s is an address of %s already, and not of our "
			       "making: use \"masquerade\", or an address that is free",
			       prefix_put(prefix, &route->prefix), addr_put(text, route->snat_addr),
			       link ? link->name : "this machine");
	}
	return 0;
}

static bool has_address(const struct state *out, const struct addr *addr)
{
	const struct state_lan_address *address;

	array_for_each(address, &out->lan_addresses)
		if (!addr_compare(&address->addr, addr))
			return true;
	return false;
}

static int add_address(struct want_builder *b, const struct policy_route *route)
{
	const struct state_device *device = find_place(b, route);
	struct state_lan_address *address;
	char prefix[PREFIX_TEXT_SIZE];
	int r;

	if (has_address(b->out, route->snat_addr))
		return 0;
	if (!device)
		return err_set(b->err, -ENODEV,
			       "routes.%s.snat: no LAN device of this node leads there",
			       prefix_put(prefix, &route->prefix));
	r = check_free(b, route);
	if (r)
		return r;
	address = array_add(&b->out->lan_addresses);
	if (!address)
		return want_no_memory(b);
	memcpy(address->device, device->name, sizeof(address->device));
	address->addr = *route->snat_addr;
	return 0;
}

static int address_compare(const void *a, const void *b)
{
	const struct state_lan_address *x = a, *y = b;
	int r = strcmp(x->device, y->device);

	return r ? r : addr_compare(&x->addr, &y->addr);
}

int want_lan_addresses(struct want_builder *b)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < b->view->policy->routes.count; i++) {
		const struct view_route *route = &b->view->routes[i];

		if (route->kind == TP_ROUTE_LAN && route->route->snat == SNAT_ADDRESS)
			r = add_address(b, route->route);
	}
	if (!r && b->out->lan_addresses.count)
		qsort(b->out->lan_addresses.items, b->out->lan_addresses.count,
		      sizeof(*b->out->lan_addresses.items), address_compare);
	return r;
}
