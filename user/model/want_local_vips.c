// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local VIPs: which of a LAN device's addresses the daemon is to ask for. A packet that a device
 * seems to bring from there, and the kernel would answer by the tunnel, is a martian where its
 * reverse path filter is strict: then the load balancer might never see what it is handed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/want_parts.h"

#define RP_FILTER_STRICT 1

static int32_t rp_filter(const struct facts *facts, const char *device)
{
	const struct facts_sysctl *sysctl;
	char path[sizeof(sysctl->path)];

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", device);
	array_for_each(sysctl, &facts->sysctls)
		if (!strcmp(sysctl->path, path))
			return sysctl->value;
	return 0;
}

/* The kernel goes by the larger of the device's and that of all (ip-sysctl.rst). */
static int check_rp_filter(const struct want_builder *b, const struct policy_route *route,
			   const char *device)
{
	const struct facts *facts = b->view->facts;
	int32_t own = rp_filter(facts, device), all = rp_filter(facts, "all");
	char prefix[PREFIX_TEXT_SIZE];

	if (!prefix_is_v4(&route->prefix) || (own > all ? own : all) != RP_FILTER_STRICT)
		return 0;
	return err_set(b->err, -EINVAL,
		       "routes.%s.local_vips: net.ipv4.conf.%s.rp_filter is 1 (strict), and the "
		       "kernel would drop what is handed to a load balancer there: set "
		       "net.ipv4.conf.%s.rp_filter to 2 (loose)",
		       prefix_put(prefix, &route->prefix), own >= all ? device : "all", device);
}

/* Behind a gateway nobody can be asked whose an address is. */
static const struct state_device *find_lan(const struct want_builder *b, const struct addr *addr)
{
	const struct facts_route *way = facts_find_route(b->view->facts, addr);
	const struct state_device *device;

	if (!way || !addr_is_zero(&way->gateway))
		return NULL;
	array_for_each(device, &b->out->devices)
		if (device->ifindex == way->ifindex && device->device.role == TP_DEV_LAN)
			return device;
	return NULL;
}

static int add_range(struct want_builder *b, const struct policy_route *route,
		     const struct addr_range *range)
{
	const struct state_device *device = find_lan(b, &range->first);
	char prefix[PREFIX_TEXT_SIZE], text[RANGE_TEXT_SIZE];
	struct state_local_vips *vips;
	int r;

	if (!device)
		return err_set(
			b->err, -ENODEV,
			"routes.%s.local_vips: no LAN device of this node is on the link of %s",
			prefix_put(prefix, &route->prefix), addr_range_put(text, range));
	r = check_rp_filter(b, route, device->name);
	if (r)
		return r;
	vips = array_add(&b->out->local_vips);
	if (!vips)
		return want_no_memory(b);
	vips->range = *range;
	memcpy(vips->device, device->name, sizeof(vips->device));
	return 0;
}

int want_local_vips(struct want_builder *b)
{
	const struct addr_range *range;
	size_t i;
	int r = 0;

	for (i = 0; i < b->view->policy->routes.count; i++) {
		const struct view_route *route = &b->view->routes[i];

		if (route->kind != TP_ROUTE_LAN || !route->route->how)
			continue;
		array_for_each(range, &route->route->how->local_vips)
			if (!r)
				r = add_range(b, route->route, range);
	}
	return r;
}
