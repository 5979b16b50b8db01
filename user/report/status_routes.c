// SPDX-License-Identifier: GPL-2.0-only
#include "report/status_routes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/guard.h"

static const char apply_again[] = "run `towpath apply POLICY` again";

/* What the rows are looked at with. */
struct look {
	const struct status *status;
	struct guard guard;
	const struct tp_peer_info **peers; /* sorted by name */
	size_t peer_count;
	struct status_routes *out;
};

static int by_name(const void *a, const void *b)
{
	const struct tp_peer_info *x = *(const struct tp_peer_info *const *)a;
	const struct tp_peer_info *y = *(const struct tp_peer_info *const *)b;

	return strncmp(x->name, y->name, sizeof(x->name));
}

static int sort_peers(struct look *look)
{
	const struct peer_info_row *row;

	look->peers = mem_alloc(look->status->have->peer_info.count + 1,
				sizeof(const struct tp_peer_info *));
	if (!look->peers)
		return -ENOMEM;
	array_for_each(row, &look->status->have->peer_info)
		look->peers[look->peer_count++] = &row->info;
	qsort(look->peers, look->peer_count, sizeof(const struct tp_peer_info *), by_name);
	return 0;
}

static const struct tp_peer_info *find_carrier(const struct look *look, const char *name)
{
	struct tp_peer_info key = { 0 };
	const struct tp_peer_info *wanted = &key;
	const struct tp_peer_info *const *found;

	strncpy(key.name, name, sizeof(key.name) - 1);
	found = bsearch(&wanted, look->peers, look->peer_count, sizeof(const struct tp_peer_info *),
			by_name);
	return found ? *found : NULL;
}

__attribute__((format(printf, 3, 4))) static void
decide(struct status_route *route, enum tp_route_state state, const char *format, ...)
{
	va_list args;

	route->state = (uint8_t)state;
	va_start(args, format);
	vsnprintf(route->reason, sizeof(route->reason), format, args);
	va_end(args);
}

/*
 * Silence says nothing about a peer that has nothing to say: WireGuard shakes hands when there is
 * something to send. But with a keepalive there always is.
 */
static void look_at_carrier(const struct look *look, const char *name, struct status_route *route)
{
	const struct tp_peer_info *info = find_carrier(look, name);
	const struct tp_peer_info *via = info ? status_find_via(look->status->have, info) : NULL;
	const struct state_peer *peer =
		info ? status_find_peer(look->status->have, via ? via : info) : NULL;
	const char *state = info ? status_peer_state(look->status, info) : "up";
	int64_t silent;

	if (!strcmp(state, "expired")) {
		decide(route, TP_ROUTE_DOWN, "the key of %s has expired", name);
		return;
	}
	if (!peer || !strcmp(state, "up"))
		return; /* no peer of our own device's: what carries it is another one */
	name = via ? via->name : name; /* the session is the hub's */
	if (!peer->endpoint.port)
		decide(route, TP_ROUTE_DOWN, "%s has not called yet, and has no endpoint", name);
	else if (peer->keepalive && !peer->latest_handshake)
		decide(route, TP_ROUTE_DOWN, "%s has never answered", name);
	else if (peer->keepalive) {
		silent = look->status->now - peer->latest_handshake;
		decide(route, TP_ROUTE_DOWN, "%s has not answered for %" PRId64 " s", name, silent);
	}
}

static int compare_route(const void *key, const void *item)
{
	return prefix_compare(key, &((const struct state_route *)item)->prefix);
}

static const struct state_route *find_kernel_route(const struct state *have,
						   const struct prefix *prefix)
{
	if (!have->routes.count)
		return NULL;
	return bsearch(prefix, have->routes.items, have->routes.count, sizeof(*have->routes.items),
		       compare_route);
}

/* One that apply has led into the tunnel. */
static void look_at_active(const struct look *look, const struct route_info_row *info,
			   struct status_route *route)
{
	struct guard_verdict verdict;

	if (guard_holds(&look->guard, &info->prefix, &verdict)) {
		decide(route, TP_ROUTE_CONFLICT, "%s", verdict.reason);
		route->stale = true;
	} else if (!find_kernel_route(look->status->have, &info->prefix)) {
		decide(route, TP_ROUTE_DOWN, "its kernel route is gone");
	} else {
		look_at_carrier(look, state_text(look->status->have, info->node), route);
	}
}

static int look_at_row(struct look *look, const struct route_info_row *info)
{
	const struct state *have = look->status->have;
	struct status_route *route = array_add(look->out);
	struct guard_verdict verdict;

	if (!route)
		return -ENOMEM;
	decide(route, info->state, "%s", state_text(have, info->reason));
	if (info->state == TP_ROUTE_CONFLICT) {
		route->stale = !guard_holds(&look->guard, &info->prefix, &verdict);
		if (!route->stale)
			decide(route, TP_ROUTE_CONFLICT, "%s", verdict.reason);
	} else if (info->state == TP_ROUTE_ACTIVE && have->tunnel.exists &&
		   strcmp(state_text(have, info->node), have->node) != 0) {
		look_at_active(look, info, route);
	}
	return 0;
}

/* ---- problems -------------------------------------------------------------------------------- */

static int report_stale(struct look *look)
{
	const struct state *have = look->status->have;
	char text[PREFIX_TEXT_SIZE];
	int r = 0;
	size_t i;

	for (i = 0; !r && i < look->out->count; i++) {
		const struct status_route *route = &look->out->items[i];
		const struct route_info_row *info = &have->route_info.items[i];
		const char *node = state_text(have, info->node);

		if (!route->stale)
			continue;
		prefix_put(text, &info->prefix);
		if (info->state == TP_ROUTE_CONFLICT)
			r = status_add_problem(&look->out->problems, apply_again,
					       "nothing holds %s of %.40s back any more", text,
					       node);
		else
			r = status_add_problem(
				&look->out->problems, apply_again,
				"%s of %.40s is in force, and is to be held back: %.90s", text,
				node, route->reason);
	}
	return r;
}

/* Somebody's route where ours would be, to the last bit of its key. */
static int report_taken_keys(struct look *look)
{
	char text[GUARD_ROUTE_SIZE], mend[sizeof(look->out->problems.items->mend)];
	int r = 0;
	size_t i;

	for (i = 0; !r && i < look->guard.routes.count; i++) {
		const struct facts_route *route = look->guard.routes.items[i];

		if (route->metric != TP_RT_METRIC)
			continue;
		guard_put_route(text, &look->guard, route);
		snprintf(mend, sizeof(mend), "`ip route del %s` if it is not meant", text);
		r = status_add_problem(&look->out->problems, mend,
				       "a route of protocol %u, %s, has the metric of towpath's: "
				       "it is left alone",
				       route->protocol, text);
	}
	return r;
}

static int report_member(struct look *look, const struct prefix *host)
{
	const struct facts_route *own = guard_find_route(&look->guard, host);
	char text[GUARD_ROUTE_SIZE], addr[ADDR_TEXT_SIZE];

	if (!own)
		return 0;
	return status_add_problem(
		&look->out->problems, "remove it, or give the member another address",
		"%s is a mesh address, but a route of this machine's own, %s, is "
		"to the same: it is left alone",
		addr_put(addr, &host->addr), guard_put_route(text, &look->guard, own));
}

/* Somebody has removed a peer, or allowed IPs of one: what is routed there goes nowhere. */
static int report_orphans(struct look *look, const bool *carried)
{
	const struct state *have = look->status->have;
	const struct prefix *first = NULL;
	char text[PREFIX_TEXT_SIZE];
	size_t i, count = 0;

	for (i = 0; i < have->routes.count; i++) {
		const struct prefix *prefix = &have->routes.items[i].prefix;

		/* of one prefix there may be two, of different metrics */
		if (carried[find_kernel_route(have, prefix) - have->routes.items])
			continue;
		first = first ? first : prefix;
		count++;
	}
	return count ? status_add_problem(
			       &look->out->lost, apply_again,
			       "%zu prefixes that are routed into the tunnel are of no peer of "
			       "the device, the first %s",
			       count, prefix_put(text, first))
		     : 0;
}

/* Which kernel routes lead to somebody, and how many are not there. */
struct led {
	bool *carried;
	struct prefix first; /* that is missing */
	size_t missing;
};

/* False: a route of the machine's own is in its place. */
static bool find_led(const struct look *look, struct led *led, const struct prefix *prefix)
{
	const struct state *have = look->status->have;
	const struct state_route *route = find_kernel_route(have, prefix);

	if (route)
		led->carried[route - have->routes.items] = true;
	if (route || guard_find_route(&look->guard, prefix))
		return route;
	if (!led->missing++)
		led->first = *prefix;
	return true;
}

static int look_at_peers(struct look *look, struct led *led)
{
	const struct prefix *prefix;
	const struct state_peer *peer;
	int r = 0;

	array_for_each(peer, &look->status->have->tunnel.peers)
		array_for_each(prefix, &peer->allowed_ips)
			if (!find_led(look, led, prefix) && !r && prefix_is_host(prefix))
				r = report_member(look, prefix);
	return r;
}

/* Their routes lead to the programs of the tunnel, and to no peer. */
static void look_at_services(const struct look *look, struct led *led)
{
	const struct socket_lb *lb = &look->status->have->socket_lb;
	const struct service_row *row;
	struct addr vip;

	array_for_each(row, &lb->services) {
		struct prefix host;

		if (row > lb->services.items &&
		    !memcmp(&row[-1].key.vip, &row->key.vip, sizeof(row->key.vip)))
			continue;
		memcpy(&vip, &row->key.vip, sizeof(vip));
		host = prefix_host(&vip);
		find_led(look, led, &host);
	}
}

static int report_missing(struct look *look, const struct led *led)
{
	char text[PREFIX_TEXT_SIZE];

	if (!led->missing)
		return 0;
	return status_add_problem(&look->out->lost, apply_again,
				  "%zu kernel routes into the tunnel are gone, the first %s",
				  led->missing, prefix_put(text, &led->first));
}

/*
 * The prefixes that WireGuard takes for a peer's are those that have a kernel route, and so are
 * the addresses of services.
 */
static int report_peers(struct look *look)
{
	AUTO_FREE bool *carried = mem_alloc(look->status->have->routes.count + 1, sizeof(bool));
	struct led led = { .carried = carried };
	int r = carried ? look_at_peers(look, &led) : -ENOMEM;

	if (r)
		return r;
	look_at_services(look, &led);
	r = report_missing(look, &led);
	return r ? r : report_orphans(look, carried);
}

/* Somebody has removed a rule: nothing looks into our table any more, or before all others. */
static int report_rules(struct look *look)
{
	const struct state *have = look->status->have;
	const struct state_route *route;
	const struct state_rule *rule;
	size_t wanted[2] = { 0 }, found[2] = { 0 };

	array_for_each(route, &have->routes)
		if (route->table == TP_RT_TABLE)
			wanted[prefix_is_v4(&route->prefix)] = 2;
	array_for_each(rule, &have->rules)
		found[!rule->v6]++;
	if (found[0] >= wanted[0] && found[1] >= wanted[1])
		return 0;
	return status_add_problem(&look->out->lost, apply_again,
				  "a rule that leads to the routes of the mesh (table %d) is gone",
				  TP_RT_TABLE);
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static int look_at_all(struct look *look)
{
	const struct route_info_row *row;
	int r = sort_peers(look);

	array_for_each(row, &look->status->have->route_info)
		if (!r)
			r = look_at_row(look, row);
	if (!r)
		r = report_stale(look);
	if (!r)
		r = report_taken_keys(look);
	if (!r && look->status->have->tunnel.exists)
		r = report_peers(look);
	return r ? r : report_rules(look);
}

int status_routes_build(const struct status *status, const struct facts *facts,
			struct status_routes *out)
{
	struct status_routes routes = { .count = 0 };
	struct look look = { .status = status, .out = &routes };
	int r = guard_build(facts, status->have->tunnel.name, &look.guard);

	if (!r)
		r = look_at_all(&look);
	free(look.peers);
	guard_free(&look.guard);
	if (r)
		status_routes_free(&routes);
	else
		*out = routes;
	return r;
}

void status_routes_free(struct status_routes *routes)
{
	array_clear(routes);
	array_clear(&routes->problems);
	array_clear(&routes->lost);
}
