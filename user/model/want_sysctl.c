// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sysctls we need, and no more. Order matters: a machine that forwards IPv6 no longer listens
 * to router advertisements unless accept_ra is 2, and would lose its default route.
 */
#include <stdio.h>
#include <string.h>

#include "model/want_parts.h"

#define PROTOCOL_RA 9 /* RTPROT_RA: the kernel learned the route from a router advertisement */

static const struct facts_sysctl *find_sysctl(const struct facts *facts, const char *device,
					      const char *name)
{
	const struct facts_sysctl *sysctl;
	char path[sizeof(sysctl->path)];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", device, name);
	array_for_each(sysctl, &facts->sysctls)
		if (!strcmp(sysctl->path, path))
			return sysctl;
	return NULL;
}

static int set(struct want_builder *b, int family, const char *device, const char *name, int value)
{
	struct state_sysctl *sysctl = array_add(&b->out->sysctls);

	if (!sysctl)
		return want_no_memory(b);

	snprintf(sysctl->path, sizeof(sysctl->path), "net/ipv%d/conf/%s/%s", family, device, name);
	sysctl->value = value;
	return 0;
}

static bool learns_routes(const struct facts *facts, const struct facts_link *link)
{
	const struct facts_sysctl *accept_ra = find_sysctl(facts, link->name, "accept_ra");
	const struct facts_route *route;

	if (!accept_ra || accept_ra->value != 1)
		return false;

	array_for_each(route, &facts->routes)
		if (route->protocol == PROTOCOL_RA && route->ifindex == link->ifindex &&
		    !prefix_is_v4(&route->prefix))
			return true;
	return false;
}

/*
 * On every device, ours or not: the first `forwarding` that is switched on, anywhere, makes the
 * kernel purge the advertised default routes of all devices whose accept_ra is not 2
 * (rt6_purge_dflt_routers; measured on 6.18).
 */
static int keep_router_advertisements(struct want_builder *b)
{
	const struct facts_link *link;
	int r = 0;

	array_for_each(link, &b->view->facts->links)
		if (!r && learns_routes(b->view->facts, link))
			r = set(b, 6, link->name, "accept_ra", 2);
	return r;
}

static int forward_ipv6(struct want_builder *b)
{
	const struct state_device *device;
	int r = 0;

	if (!b->view->facts->force_forwarding)
		return set(b, 6, "all", "forwarding", 1);

	/* force_forwarding is for the stack, forwarding for bpf_fib_lookup */
	array_for_each(device, &b->out->devices) {
		if (!r)
			r = set(b, 6, device->name, "force_forwarding", 1);
		if (!r)
			r = set(b, 6, device->name, "forwarding", 1);
	}
	return r;
}

static bool has_ipv6(const struct view *view)
{
	const struct policy_member *member;
	const struct addr *addr;
	size_t i;

	array_for_each(member, &view->policy->members)
		array_for_each(addr, member->addresses)
			if (!addr_is_v4(addr))
				return true;
	for (i = 0; i < view->policy->routes.count; i++)
		if (view->routes[i].kind != TP_ROUTE_NONE &&
		    !prefix_is_v4(&view->routes[i].route->prefix))
			return true;
	return false;
}

int want_sysctls(struct want_builder *b)
{
	const struct state_device *device;
	int r = 0;

	array_for_each(device, &b->out->devices)
		if (!r)
			r = set(b, 4, device->name, "forwarding", 1);
	if (!r && has_ipv6(b->view))
		r = keep_router_advertisements(b);
	if (!r && has_ipv6(b->view))
		r = forward_ipv6(b);
	return r;
}
