// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes of administrators and routing daemons may be many: they are sorted once and searched by
 * halves.
 */
#include "model/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool guard_is_tunnel(const struct guard *guard, const struct facts_link *link)
{
	return link->ours || !strcmp(link->name, guard->tunnel);
}

struct prefix guard_connected(const struct facts_addr *addr)
{
	return prefix_around(&addr->addr, addr->len);
}

bool guard_is_lan(const struct guard *guard, const struct facts_addr *addr, const char **device)
{
	const struct facts_link *link = facts_find_ifindex(guard->facts, addr->ifindex);

	if (!link || link->loopback || guard_is_tunnel(guard, link) || addr->link_scope)
		return false;
	*device = link->name;
	return true;
}

/*
 * A default route is nobody's claim to a prefix, and what the kernel itself puts on the tunnel
 * (IPv6 does so for each address) leads where ours do.
 */
static bool is_claim(const struct guard *guard, const struct facts_route *route)
{
	const struct facts_link *link = facts_find_ifindex(guard->facts, route->ifindex);

	if (prefix_is_default(&route->prefix))
		return false;
	return !link || !guard_is_tunnel(guard, link);
}

/* Whether the best default route of a family leads nowhere ("unreachable default"). */
static bool default_is_dead(const struct facts *facts, bool v4)
{
	const struct facts_route *route, *best = NULL;

	array_for_each(route, &facts->routes)
		if (prefix_is_default(&route->prefix) && prefix_is_v4(&route->prefix) == v4 &&
		    (!best || route->metric < best->metric))
			best = route;
	return best && best->type != FACTS_ROUTE_LEADS;
}

static int by_prefix(const void *a, const void *b)
{
	const struct facts_route *x = *(const struct facts_route *const *)a;
	const struct facts_route *y = *(const struct facts_route *const *)b;
	int r = prefix_compare(&x->prefix, &y->prefix);

	return r ? r : (x->metric > y->metric) - (x->metric < y->metric);
}

static int order_of(const void *key, const void *item)
{
	const struct facts_route *route = *(const struct facts_route *const *)item;

	return prefix_compare(key, &route->prefix);
}

static const struct facts_route *find_equal(const struct guard_routes *routes,
					    const struct prefix *prefix)
{
	const struct facts_route *const *found;

	if (!routes->has_length[prefix->len])
		return NULL;
	found = bsearch(prefix, routes->items, routes->count, sizeof(*routes->items), order_of);
	if (!found)
		return NULL;
	/* the best of several metrics is the one the kernel would use */
	while (found > routes->items && prefix_is_equal(&found[-1]->prefix, prefix))
		found--;
	return *found;
}

static uint8_t longest_default(const struct prefix *prefix)
{
	return TP_RT_DEFAULT_IN_PARTS + (prefix_is_v4(prefix) ? ADDR_MAPPED_BITS : 0);
}

/*
 * The longest route that the prefix lies in. One that leads nowhere (a blackhole) holds what it
 * names, but not what is inside: to be the rest is what it is for.
 */
static const struct facts_route *find_around(const struct guard_routes *routes,
					     const struct prefix *prefix)
{
	uint8_t shortest = longest_default(prefix), len;

	if (prefix->len <= shortest)
		return find_equal(routes, prefix);
	for (len = prefix->len; len > shortest; len--) {
		struct prefix outer = prefix_around(&prefix->addr, len);
		const struct facts_route *route = find_equal(routes, &outer);

		if (route && (len == prefix->len || route->type == FACTS_ROUTE_LEADS))
			return route;
	}
	return NULL;
}

/* One inside the prefix: in that order the first that is not before it. */
static const struct facts_route *find_inside(const struct guard_routes *routes,
					     const struct prefix *prefix)
{
	size_t first = 0, end = routes->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (prefix_compare(&routes->items[middle]->prefix, prefix) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	if (first < routes->count && prefix_contains(prefix, &routes->items[first]->prefix))
		return routes->items[first];
	return NULL;
}

static int make_room(struct guard_routes *routes, size_t count)
{
	routes->items = mem_alloc(count + 1, sizeof(*routes->items));
	return routes->items ? 0 : -ENOMEM;
}

static void add(struct guard_routes *routes, const struct facts_route *route)
{
	routes->items[routes->count++] = route;
	routes->has_length[route->prefix.len] = true;
}

static void sort(struct guard_routes *routes)
{
	qsort(routes->items, routes->count, sizeof(*routes->items), by_prefix);
}

static void take_routes(struct guard *guard)
{
	const struct facts_route *route;

	array_for_each(route, &guard->facts->routes)
		if (is_claim(guard, route))
			add(&guard->routes, route);
	sort(&guard->routes);
	array_for_each(route, &guard->facts->behind)
		if (is_claim(guard, route) && !guard_stands_for_default(&route->prefix) &&
		    !find_around(&guard->routes, &route->prefix))
			add(&guard->behind, route);
	sort(&guard->behind);
}

int guard_build(const struct facts *facts, const char *tunnel, struct guard *out)
{
	struct guard guard = { .facts = facts, .tunnel = tunnel };

	if (make_room(&guard.routes, facts->routes.count) ||
	    make_room(&guard.behind, facts->behind.count)) {
		guard_free(&guard);
		return -ENOMEM;
	}
	take_routes(&guard);
	guard.dead_default[true] = default_is_dead(facts, true);
	guard.dead_default[false] = default_is_dead(facts, false);
	*out = guard;
	return 0;
}

void guard_free(struct guard *guard)
{
	free(guard->routes.items);
	free(guard->behind.items);
	memset(guard, 0, sizeof(*guard));
}

const struct facts_route *guard_find_route(const struct guard *guard, const struct prefix *prefix)
{
	return find_equal(&guard->routes, prefix);
}

const char *guard_put_route(char *buf, const struct guard *guard, const struct facts_route *route)
{
	const struct facts_link *link = facts_find_ifindex(guard->facts, route->ifindex);
	char text[PREFIX_TEXT_SIZE], metric[sizeof(" metric 4294967295")] = "";
	char table[sizeof(" table 4294967295")] = "";

	if (route->metric)
		snprintf(metric, sizeof(metric), " metric %u", route->metric);
	if (route->table)
		snprintf(table, sizeof(table), " table %u", route->table);
	snprintf(buf, GUARD_ROUTE_SIZE, "%s %s %s%s%s", prefix_put(text, &route->prefix),
		 link ? "dev" : "without", link ? link->name : "device", metric, table);
	return buf;
}

/* Of a device that is down the kernel has no routes: its LAN is not there. */
static const struct facts_addr *find_lan(const struct guard *guard, const struct prefix *prefix,
					 const char **device)
{
	const struct facts_addr *addr;

	array_for_each(addr, &guard->facts->addrs) {
		struct prefix connected = guard_connected(addr);

		if (prefix_contains(&connected, prefix) && guard_is_lan(guard, addr, device) &&
		    facts_find_ifindex(guard->facts, addr->ifindex)->up)
			return addr;
	}
	return NULL;
}

static bool is_held_by_lan(const struct guard *guard, const struct prefix *prefix,
			   struct guard_verdict *out)
{
	const struct facts_addr *lan;
	char text[PREFIX_TEXT_SIZE];
	struct prefix connected;
	const char *device;

	lan = find_lan(guard, prefix, &device);
	if (!lan)
		return false;
	connected = guard_connected(lan);
	snprintf(out->reason, sizeof(out->reason), "%s of this machine holds %s", device,
		 prefix_put(text, &connected));
	return true;
}

static const struct facts_route *find_holder(const struct guard *guard, const struct prefix *prefix)
{
	const struct facts_route *own = find_around(&guard->routes, prefix);

	/* what stands for a default route is in the main table */
	if (own || guard_stands_for_default(prefix))
		return own;
	own = find_around(&guard->behind, prefix);
	return own ? own : find_inside(&guard->behind, prefix);
}

static bool is_held_by_route(const struct guard *guard, const struct prefix *prefix,
			     struct guard_verdict *out)
{
	const struct facts_route *own = find_holder(guard, prefix);
	char text[GUARD_ROUTE_SIZE];

	if (!own)
		return false;
	guard_put_route(text, guard, own);
	if (own->protocol == TP_RTPROT)
		snprintf(out->reason, sizeof(out->reason), "another towpath's %.80s holds it",
			 text);
	else
		snprintf(out->reason, sizeof(out->reason), "kernel route %.90s holds it", text);
	return true;
}

/* The tunnel's own packets leave by the machine's default route: an exit route would take them. */
static bool is_held_by_default_route(const struct guard *guard, const struct prefix *prefix,
				     struct guard_verdict *out)
{
	const struct facts_link *link;
	const struct facts_route *own;

	if (!prefix_is_default(prefix))
		return false;

	array_for_each(own, &guard->facts->routes) {
		if (!prefix_is_equal(&own->prefix, prefix) || !own->ifindex)
			continue;
		link = facts_find_ifindex(guard->facts, own->ifindex);
		snprintf(out->reason, sizeof(out->reason),
			 "the default route of this machine, on %s, carries the tunnel itself",
			 link ? link->name : "another device");
		return true;
	}
	return false;
}

bool guard_holds(const struct guard *guard, const struct prefix *prefix, struct guard_verdict *out)
{
	return is_held_by_lan(guard, prefix, out) || is_held_by_route(guard, prefix, out) ||
	       is_held_by_default_route(guard, prefix, out);
}

bool guard_stands_for_default(const struct prefix *prefix)
{
	return prefix->len <= longest_default(prefix);
}

bool guard_is_in_blackhole(const struct guard *guard, const struct prefix *prefix)
{
	uint8_t shortest = prefix_is_v4(prefix) ? ADDR_MAPPED_BITS : 0, len;

	for (len = prefix->len; len > shortest; len--) {
		struct prefix outer = prefix_around(&prefix->addr, len);
		const struct facts_route *route = guard_find_route(guard, &outer);

		if (route)
			return route->type != FACTS_ROUTE_LEADS;
	}
	return guard->dead_default[prefix_is_v4(prefix)];
}
