// SPDX-License-Identifier: GPL-2.0-only
/* tp_routes of one node: who owns an address and how a packet toward it is carried. */
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
	const struct config_addr *addr;

	array_for_each(addr, member->addresses) {
		struct prefix host = prefix_host(&addr->addr);
		struct tp_route *row;

		row = add_row(out, &host, member == view->self ? TP_ROUTE_SELF : TP_ROUTE_MESH);
		if (!row)
			return -ENOMEM;
		if (member != view->self)
			set_carrier(view, row, index);
	}
	return 0;
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
	memcpy(&row->snat_addr, &route->route->snat_addr, sizeof(row->snat_addr));
	return 0;
}

static int row_compare(const void *a, const void *b)
{
	const struct route_row *x = a, *y = b;

	return classify_prefix_compare(&x->prefix, &y->prefix);
}

static void sort_rows(struct tables *out)
{
	if (out->routes.count)
		qsort(out->routes.items, out->routes.count, sizeof(*out->routes.items),
		      row_compare);
}

/* The row a longest-prefix match would find, among the first `count` ones. */
static const struct route_row *find_row(const struct tables *out, size_t count,
					const struct prefix *prefix)
{
	const struct route_row *row, *best = NULL;

	for (row = out->routes.items; row < out->routes.items + count; row++)
		if (prefix_contains(&row->prefix, prefix) &&
		    (!best || row->prefix.len > best->prefix.len))
			best = row;
	return best;
}

/*
 * A shorter mesh route may surround a LAN of this machine. The kernel then prefers the connected
 * route by itself; the programs need a barrier for the same.
 */
static int add_lan_barriers(const struct view *view, struct tables *out)
{
	const struct facts_addr *addr;
	const struct route_row *row;
	const char *device;

	array_for_each(addr, &view->facts->addrs) {
		struct prefix connected = view_connected(addr);

		if (!view_is_lan(view, addr, &device))
			continue;
		row = find_row(out, out->routes.count, &connected);
		if (!row || row->route.kind != TP_ROUTE_MESH ||
		    prefix_is_equal(&row->prefix, &connected))
			continue;
		if (!add_row(out, &connected, TP_ROUTE_NONE))
			return -ENOMEM;
	}
	return 0;
}

/*
 * This machine's own addresses inside what it advertises: a packet for one of them ends here,
 * judged like any other, instead of looking for a next hop.
 */
static int add_hosts(const struct view *view, struct tables *out)
{
	const struct facts_addr *addr;

	array_for_each(addr, &view->facts->addrs) {
		struct prefix host = prefix_host(&addr->addr);
		const struct route_row *row = find_row(out, out->routes.count, &host);

		if (!row || row->route.kind != TP_ROUTE_LAN)
			continue;
		if (!add_row(out, &host, TP_ROUTE_HOST))
			return -ENOMEM;
	}
	return 0;
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
		r = add_lan_barriers(view, out);
	if (!r)
		r = add_hosts(view, out);
	if (!r)
		r = add_family_barrier(out);
	sort_rows(out);
	return r;
}
