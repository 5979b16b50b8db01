// SPDX-License-Identifier: GPL-2.0-only
#include "model/want.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/compile.h"
#include "model/want_parts.h"

int want_no_memory(struct want_builder *b)
{
	return err_set(b->err, -ENOMEM, "out of memory");
}

const struct addr *want_mesh_addr(const struct view *view, bool v4)
{
	const struct addr *addr;

	array_for_each(addr, view->self->addresses)
		if (addr_is_v4(addr) == v4)
			return addr;
	return NULL;
}

/*
 * So the kernel is right about all that it does toward a member by itself: answering, cutting up,
 * its own sockets. IPv6 looks at a route's MTU when it forwards only where that is locked.
 */
static uint32_t route_mtu(const struct want_builder *b, const struct policy_member *carrier)
{
	return carrier->mtu < b->out->tunnel.mtu ? carrier->mtu : 0;
}

/*
 * carrier: NULL for a service, which nobody but this node carries. What has an address of the mesh
 * itself is in the main table: a LAN that contains it by chance would make it unreachable.
 */
static int add_route(struct want_builder *b, const struct prefix *prefix,
		     const struct policy_member *carrier, uint32_t table)
{
	struct state_route *route = array_add(&b->out->routes);
	const struct addr *prefsrc;

	if (!route)
		return want_no_memory(b);

	route->prefix = *prefix;
	route->table = table;
	route->metric = TP_RT_METRIC;
	prefsrc = want_mesh_addr(b->view, prefix_is_v4(prefix));
	if (prefsrc)
		route->prefsrc = *prefsrc;
	route->mtu = carrier ? route_mtu(b, carrier) : 0;
	return 0;
}

static int route_compare(const void *a, const void *b)
{
	const struct state_route *x = a, *y = b;

	return prefix_compare(&x->prefix, &y->prefix);
}

/* Somebody's route to the very address: the machine's own, whatever it is for. */
static int warn_held(struct want_builder *b, const char *place, const char *what,
		     const struct facts_route *own)
{
	char text[GUARD_ROUTE_SIZE];

	if (!place || problems_add(b->warnings, place,
				   "%s: this machine has a route of its own, %s, which is left "
				   "alone",
				   what, guard_put_route(text, &b->view->guard, own)))
		return want_no_memory(b);
	return 0;
}

static int warn_held_member(struct want_builder *b, const struct policy_member *member,
			    size_t index, const struct facts_route *own)
{
	AUTO_FREE char *place = mem_format("%s.addresses[%zu]", member->place, index);

	return warn_held(b, place, "is not reached through the tunnel", own);
}

/* An expired peer keeps its route: the data path refuses it, rather than the default route. */
static int add_member_routes(struct want_builder *b, const struct policy_member *member)
{
	const struct addr *addr;
	int r = 0;

	array_for_each(addr, member->addresses) {
		struct prefix host = prefix_host(addr);
		const struct facts_route *own = guard_find_route(&b->view->guard, &host);

		if (r || member == b->view->self)
			continue;
		r = own ? warn_held_member(b, member, (size_t)(addr - member->addresses->items),
					   own)
			: add_route(b, &host, member, STATE_TABLE_MAIN);
	}
	return r;
}

/* Into the tunnel, whose programs let nothing out to a service that none of them has translated. */
static int add_service_route(struct want_builder *b, const struct config_service *service)
{
	struct prefix host = prefix_host(&service->vip);
	const struct facts_route *own = guard_find_route(&b->view->guard, &host);

	if (own)
		return warn_held(b, service->place, "is not served to forwarded packets", own);
	return view_leads_service(b->view, service) ? add_route(b, &host, NULL, STATE_TABLE_MAIN)
						    : 0;
}

/*
 * Behind the main table, but for what that would keep from ever being reached there: a default
 * route of the machine's own would come after it, and its blackholes before.
 */
static uint32_t choose_table(const struct want_builder *b, const struct prefix *prefix)
{
	return guard_stands_for_default(prefix) || guard_is_in_blackhole(&b->view->guard, prefix)
		       ? STATE_TABLE_MAIN
		       : TP_RT_TABLE;
}

static int add_advertised_route(struct want_builder *b, const struct policy_route *route)
{
	const struct policy_member *carrier = &b->view->policy->members.items[route->member];

	return add_route(b, &route->prefix, carrier, choose_table(b, &route->prefix));
}

static int add_rule(struct want_builder *b, bool v6, uint32_t priority, uint32_t table,
		    uint32_t suppress)
{
	struct state_rule *rule = array_add(&b->out->rules);

	if (!rule)
		return want_no_memory(b);
	*rule = (struct state_rule){
		.v6 = v6, .priority = priority, .table = table, .suppress = suppress
	};
	return 0;
}

/* The rules that lead to our table, of the family that has routes in it. */
static int want_rules(struct want_builder *b, bool v6)
{
	const struct state_route *route;
	bool used = false;
	int r;

	array_for_each(route, &b->out->routes)
		used |= route->table == TP_RT_TABLE && prefix_is_v4(&route->prefix) != v6;
	if (!used)
		return 0;
	r = add_rule(b, v6, TP_RULE_LAN_PRIORITY, STATE_TABLE_MAIN, TP_RT_DEFAULT_IN_PARTS);
	return r ? r : add_rule(b, v6, TP_RULE_MESH_PRIORITY, TP_RT_TABLE, STATE_RULE_WHOLE);
}

int want_routes(struct want_builder *b)
{
	const struct config_service *service;
	const struct policy *policy = b->view->policy;
	size_t i;
	int r = 0;

	for (i = 0; !r && i < policy->members.count; i++)
		r = add_member_routes(b, &policy->members.items[i]);
	for (i = 0; !r && i < policy->routes.count; i++)
		if (b->view->routes[i].kind == TP_ROUTE_MESH)
			r = add_advertised_route(b, &policy->routes.items[i]);
	array_for_each(service, &policy->config->services)
		if (!r)
			r = add_service_route(b, service);

	if (!r && b->out->routes.count)
		qsort(b->out->routes.items, b->out->routes.count, sizeof(*b->out->routes.items),
		      route_compare);
	if (!r)
		r = want_rules(b, false);
	return r ? r : want_rules(b, true);
}

static void want_limits(struct want_builder *b)
{
	const struct config_limits *limits = &b->view->policy->config->limits;
	struct tp_limits *out = &b->out->limits;
	uint64_t hz = b->view->facts->hz;

	out->timeout[TP_FLOW_TCP_OPENING] = limits->tcp_opening * hz;
	out->timeout[TP_FLOW_TCP_ESTABLISHED] = limits->tcp_established * hz;
	out->timeout[TP_FLOW_TCP_CLOSING] = limits->tcp_closing * hz;
	out->timeout[TP_FLOW_UDP] = limits->udp * hz;
	out->timeout[TP_FLOW_ICMP] = limits->icmp * hz;
	out->timeout[TP_FLOW_OTHER] = limits->other * hz;
	out->second = hz;
	out->flows = limits->flows;
	out->port_min = limits->port_min;
	out->port_max = limits->port_max;
	/* with a netns, the port is in another one than the devices that our programs see */
	if (!b->view->self->node->tunnel.netns)
		out->tunnel_port = htons(b->view->self->node->tunnel.listen_port);
}

static int want_tables(struct want_builder *b)
{
	int r;

	r = compile_tables(b->view->policy, b->view, &b->out->tables);
	if (r)
		return err_sys(b->err, r, "compile the policy");
	return 0;
}

static int build(struct want_builder *b)
{
	const struct view *view = b->view;
	int r;

	b->out->exists = true;
	strncpy(b->out->node, view->self->name, sizeof(b->out->node) - 1);
	memcpy(b->out->policy_hash, view->policy->config->hash, sizeof(b->out->policy_hash));
	memcpy(b->out->object_hash, view->facts->object_hash, sizeof(b->out->object_hash));
	want_limits(b);

	r = want_tunnel(b);
	if (!r)
		r = want_routes(b);
	if (!r)
		r = want_devices(b);
	if (!r)
		r = want_lan_addresses(b);
	if (!r)
		r = want_local_vips(b);
	if (!r)
		r = want_sysctls(b);
	if (!r)
		r = want_info(b);
	if (!r)
		r = want_services(b);
	if (!r)
		r = want_tables(b);
	return r;
}

int want_build(const struct policy *policy, const struct policy_member *self,
	       const struct facts *facts, struct state *out, struct problems *warnings,
	       struct err *err)
{
	struct state want = { 0 };
	struct view view = { 0 };
	struct want_builder b = { .view = &view, .out = &want, .warnings = warnings, .err = err };
	int r;

	r = view_build(policy, self, facts, &view, err);
	if (r)
		return r;

	r = build(&b);
	view_free(&view);
	if (r == -ENOMEM)
		want_no_memory(&b);
	if (r)
		state_free(&want);
	else
		*out = want;
	return r;
}
