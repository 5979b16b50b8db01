// SPDX-License-Identifier: GPL-2.0-only
/* The routes of one node: who owns an address and how a packet toward it is carried. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/classify.h"
#include "model/compile.h"

static struct tp_route *add_row(struct tables *out, const struct prefix *prefix,
				enum tp_route_kind kind)
{
	struct route_row *row = array_add(&out->routes);

	if (!row)
		return NULL;

	row->prefix = *prefix;
	row->route.kind = (uint8_t)kind;
	return &row->route;
}

static void set_carrier(const struct view *view, struct tp_route *row, uint32_t member)
{
	const struct policy_member *carrier = &view->policy->members.items[member];

	row->peer = view->peer_ids[member];
	row->mtu = carrier->mtu;
	row->expires_at = (uint64_t)carrier->key_expiry;
}

static int add_member(const struct view *view, struct tables *out, uint32_t index)
{
	const struct policy_member *member = &view->policy->members.items[index];
	const struct addr *addr;

	array_for_each(addr, member->addresses) {
		struct prefix host = prefix_host(addr);
		struct tp_route *row;

		/* what the machine itself leads elsewhere is no member's here */
		if (member != view->self && guard_find_route(&view->guard, &host))
			continue;
		row = add_row(out, &host, member == view->self ? TP_ROUTE_SELF : TP_ROUTE_MESH);
		if (!row)
			return -ENOMEM;
		if (member != view->self)
			set_carrier(view, row, index);
	}
	return 0;
}

/* The row that was added last, for a part of its prefix whose addresses are local VIPs. */
static int offer_local_vip(struct tables *out, size_t route, const struct prefix *prefix)
{
	struct tp_route *row = add_row(out, prefix, TP_ROUTE_LAN);

	if (!row)
		return -ENOMEM;
	*row = out->routes.items[route].route;
	row->flags |= TP_ROUTE_LOCAL_VIP;
	return 0;
}

static int offer_local_vips(struct tables *out, const struct config_route *how)
{
	size_t route = out->routes.count - 1, count, i;
	struct prefix prefixes[ADDR_RANGE_PREFIX_MAX];
	const struct addr_range *range;
	int r = 0;

	if (!how)
		return 0;
	array_for_each(range, &how->local_vips) {
		count = addr_range_prefixes(range, prefixes);
		for (i = 0; !r && i < count; i++)
			r = offer_local_vip(out, route, &prefixes[i]);
	}
	return r;
}

static int add_route(const struct view *view, struct tables *out, const struct view_route *route)
{
	static const uint8_t snat[] = { [SNAT_MASQUERADE] = TP_SNAT_MASQUERADE,
					[SNAT_NONE] = TP_SNAT_NONE,
					[SNAT_ADDRESS] = TP_SNAT_ADDRESS };
	struct tp_route *row;

	if (route->kind == TP_ROUTE_NONE)
		return 0;

	row = add_row(out, &route->route->prefix, route->kind);
	if (!row)
		return -ENOMEM;
	row->id = route->id;
	if (prefix_is_default(&route->route->prefix))
		row->flags = TP_ROUTE_EXIT;
	if (route->kind == TP_ROUTE_MESH) {
		set_carrier(view, row, route->route->member);
		return 0;
	}
	row->snat = snat[route->route->snat];
	if (route->route->snat_addr)
		memcpy(&row->snat_addr, route->route->snat_addr, sizeof(row->snat_addr));
	return route->kind == TP_ROUTE_LAN ? offer_local_vips(out, route->route->how) : 0;
}

static int add_service(const struct view *view, struct tables *out,
		       const struct config_service *service)
{
	struct prefix host = prefix_host(&service->vip);

	if (!view_leads_service(view, service))
		return 0;
	return add_row(out, &host, TP_ROUTE_SERVICE) ? 0 : -ENOMEM;
}

static int add_services(const struct view *view, struct tables *out)
{
	const struct config_service *service;
	int r = 0;

	array_for_each(service, &view->policy->config->services)
		if (!r)
			r = add_service(view, out, service);
	return r;
}

/*
 * A shorter mesh route may surround a LAN of this machine. The kernel then prefers the connected
 * route by itself; the programs need a barrier for the same.
 */
static int offer_lan_barriers(const struct view *view, struct tables *out)
{
	const struct facts_addr *addr;
	const char *device;

	array_for_each(addr, &view->facts->addrs) {
		struct prefix connected = guard_connected(addr);

		if (guard_is_lan(&view->guard, addr, &device) &&
		    facts_find_ifindex(view->facts, addr->ifindex)->up &&
		    !add_row(out, &connected, TP_ROUTE_NONE))
			return -ENOMEM;
	}
	return 0;
}

/* The same for what lies behind the LAN, or nowhere: a blackhole is the kernel's to answer for. */
static int offer_kernel_barriers(const struct view *view, struct tables *out)
{
	const struct guard_routes *routes = &view->guard.routes;
	size_t i;

	/* not for tables behind ours: which packets their rules are for the kernel alone knows */
	for (i = 0; i < routes->count; i++)
		if (!add_row(out, &routes->items[i]->prefix, TP_ROUTE_NONE))
			return -ENOMEM;
	return 0;
}

/*
 * This machine's own addresses inside what it advertises: a packet for one of them ends here,
 * judged like any other, instead of looking for a next hop.
 */
static int offer_hosts(const struct view *view, struct tables *out)
{
	const struct facts_addr *addr;

	array_for_each(addr, &view->facts->addrs) {
		struct prefix host = prefix_host(&addr->addr);

		if (!add_row(out, &host, TP_ROUTE_HOST))
			return -ENOMEM;
	}
	return 0;
}

/* Those that it does not advertise are nobody's, but may serve. */
static int offer_own_backends(const struct view *view, struct tables *out)
{
	struct config_addrs strays = { 0 };
	const struct addr *backend;
	int r = view_find_strays(view, &strays);

	array_for_each(backend, &strays) {
		struct prefix host = prefix_host(backend);
		struct tp_route *row;

		if (r || !facts_has_addr(view->facts, backend))
			continue;
		row = add_row(out, &host, TP_ROUTE_NONE);
		if (row)
			row->flags = TP_ROUTE_OWN;
		else
			r = -ENOMEM;
	}
	array_clear(&strays);
	return r;
}

/*
 * What the kernel calls the broadcast address of a prefix that it is on (fib_add_ifaddr): as a
 * source it is a martian, and what it is sent would be given to this machine's sockets.
 */
static int offer_broadcasts(const struct view *view, struct tables *out)
{
	const struct facts_addr *addr;

	array_for_each(addr, &view->facts->addrs) {
		struct prefix connected = guard_connected(addr), all;
		struct addr_range range = prefix_range(&connected);

		if (!prefix_is_v4(&connected) || prefix_family_len(&connected) > 30)
			continue;
		all = prefix_host(&range.last);
		if (!add_row(out, &all, TP_ROUTE_BROADCAST))
			return -ENOMEM;
	}
	return 0;
}

/* Fixed SNAT addresses that this node puts on its LAN devices are its own as well. */
static int offer_snat_hosts(const struct view *view, struct tables *out)
{
	size_t i;

	for (i = 0; i < view->policy->routes.count; i++) {
		const struct policy_route *route = view->routes[i].route;
		struct prefix host;

		if (view->routes[i].kind != TP_ROUTE_LAN || !route->snat_addr)
			continue;
		host = prefix_host(route->snat_addr);
		if (!add_row(out, &host, TP_ROUTE_HOST))
			return -ENOMEM;
	}
	return 0;
}

static bool is_local_vip(const struct route_row *row)
{
	return row->route.flags & TP_ROUTE_LOCAL_VIP;
}

/* Depends on the rows around it, unlike those that the policy asks for. */
static bool is_offer(const struct route_row *row)
{
	return row->route.kind == TP_ROUTE_NONE || row->route.kind == TP_ROUTE_HOST ||
	       row->route.kind == TP_ROUTE_BROADCAST || is_local_vip(row);
}

/*
 * Of two with one prefix the offer comes last, so that it finds the other around it: a broadcast
 * address may be a host's in a longer prefix.
 */
static int row_compare(const void *a, const void *b)
{
	const struct route_row *x = a, *y = b;
	int r = classify_prefix_compare(&x->prefix, &y->prefix);

	if (!r)
		r = (int)is_offer(x) - (int)is_offer(y);
	if (!r && is_offer(x))
		r = (int)x->route.kind - (int)y->route.kind;
	return r ? r : (int)(x->route.flags & TP_ROUTE_OWN) - (int)(y->route.flags & TP_ROUTE_OWN);
}

static void sort_rows(struct tables *out)
{
	if (out->routes.count)
		qsort(out->routes.items, out->routes.count, sizeof(*out->routes.items),
		      row_compare);
}

/* And not of a longer route inside, which has its own idea of them; ranges may overlap. */
static bool is_local_vip_of(const struct route_row *row, const struct route_row *around)
{
	return around && around->route.id == row->route.id && !is_local_vip(around);
}

/* `around` is the row that a longest-prefix match would find without this one, or NULL. */
static bool is_needed(const struct route_row *row, const struct route_row *around)
{
	switch (row->route.kind) {
	case TP_ROUTE_NONE:
		if (row->route.flags & TP_ROUTE_OWN)
			return !around || around->route.kind == TP_ROUTE_NONE ||
			       around->route.kind == TP_ROUTE_MESH;
		return around && around->route.kind == TP_ROUTE_MESH &&
		       !prefix_is_equal(&around->prefix, &row->prefix);
	case TP_ROUTE_HOST: return around && around->route.kind == TP_ROUTE_LAN;
	case TP_ROUTE_BROADCAST:
		return !around || around->route.kind == TP_ROUTE_NONE ||
		       around->route.kind == TP_ROUTE_LAN;
	default: return !is_local_vip(row) || is_local_vip_of(row, around);
	}
}

/* All of a row's addresses are: then it is that row that says so. */
static bool is_absorbed(const struct route_row *row, struct route_row *around)
{
	if ((row->route.flags & TP_ROUTE_OWN) && around && around->route.kind == TP_ROUTE_NONE &&
	    prefix_is_equal(&row->prefix, &around->prefix)) {
		around->route.flags |= TP_ROUTE_OWN;
		return true;
	}
	if (!is_local_vip(row) || !is_local_vip_of(row, around) ||
	    !prefix_is_equal(&row->prefix, &around->prefix))
		return false;
	around->route.flags |= TP_ROUTE_LOCAL_VIP;
	return true;
}

/* Of sorted rows, those around the present one are a stack: one pass, however many there are. */
static void drop_needless_offers(struct tables *out)
{
	/* a row for every length, and a HOST on a LAN route to itself */
	struct route_row *around[128 + 2];
	struct route_row *row, *kept = out->routes.items;
	size_t depth = 0;

	array_for_each(row, &out->routes) {
		struct route_row *last;

		while (depth && !prefix_contains(&around[depth - 1]->prefix, &row->prefix))
			depth--;
		last = depth ? around[depth - 1] : NULL;
		if (!is_needed(row, last) || is_absorbed(row, last))
			continue;
		memmove(kept, row, sizeof(*row)); /* with its holes: rows are hashed */
		around[depth++] = kept++;
	}
	out->routes.count = kept ? (size_t)(kept - out->routes.items) : 0;
}

/* ::/0 never means IPv4: addr.h of include/towpath. */
static int add_family_barrier(struct tables *out)
{
	const struct route_row *row;
	bool surrounded = false;

	array_for_each(row, &out->routes) {
		if (prefix_is_equal(&row->prefix, &classify_v4_space))
			return 0;
		surrounded |= classify_surrounds_v4(&row->prefix);
	}
	if (surrounded && !add_row(out, &classify_v4_space, TP_ROUTE_NONE))
		return -ENOMEM;
	return 0;
}

int compile_routes(const struct view *view, struct tables *out)
{
	uint32_t i;
	int r = 0;

	for (i = 0; !r && i < view->policy->members.count; i++)
		r = add_member(view, out, i);
	for (i = 0; !r && i < view->policy->routes.count; i++)
		r = add_route(view, out, &view->routes[i]);
	if (!r)
		r = add_services(view, out);
	if (!r)
		r = offer_lan_barriers(view, out);
	if (!r)
		r = offer_kernel_barriers(view, out);
	if (!r)
		r = offer_hosts(view, out);
	if (!r)
		r = offer_broadcasts(view, out);
	if (!r)
		r = offer_own_backends(view, out);
	if (!r)
		r = offer_snat_hosts(view, out);
	if (r)
		return r;

	sort_rows(out);
	drop_needless_offers(out);
	r = add_family_barrier(out);
	sort_rows(out);
	return r || out->routes.count <= TP_ROUTE_MAX ? r : -E2BIG;
}
