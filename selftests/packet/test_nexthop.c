// SPDX-License-Identifier: GPL-2.0-only
/*
 * Next hops: every answer of the kernel's lookup, for a first packet and for a flow that has
 * remembered another one. Nobody tells the programs of a change: they look again each second.
 */
#include <stdio.h>

#include "places.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

static const struct packet question = udp("phone", 20000, "far", 53);

/* As if the next hop had been looked up two seconds ago, if the flow is there already. */
static void make_next_hop_stale(void)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(&question, row_family(), &none, TP_SIDE_TUNNEL);
	struct tp_flow flow;

	if (!state_find_flow(&key, &flow))
		return;
	flow.checked -= 2 * rig_hz();
	state_write_flow(&key, &flow);
}

static char route[128]; /* what add_route added */

/* A route for that one host, in front of the one through the router. */
static void add_route(const char *type, const char *way)
{
	char words[160];

	make_next_hop_stale();
	snprintf(route, sizeof(route), "%s %s %s", type, places_text("far", row_family()), way);
	snprintf(words, sizeof(words), "route add %s", route);
	world_ip(words);
}

static void del_route(void)
{
	char words[160];

	snprintf(words, sizeof(words), "route del %s", route);
	world_ip(words);
}

static void unreachable(void)
{
	add_route("unreachable", "");
}

static void prohibit(void)
{
	add_route("prohibit", "");
}

static void blackhole(void)
{
	add_route("blackhole", "");
}

static void throw(void)
{
	add_route("throw", "");
}

static void local(void)
{
	add_route("local", "dev lo");
}

static void encapsulate(void)
{
	add_route("", "encap seg6 mode encap segs 2001:db8:30::fe dev lan0");
}

static void by_a_foreign_device(void)
{
	add_route("", "dev other0");
}

static void by_host2(void)
{
	add_route("", row_family() == V4 ? "via 192.0.2.11" : "via 2001:db8:30::11");
}

static void by_host2_on_link(void)
{
	add_route("", row_family() == V4 ? "via 192.0.2.11 dev lan0 onlink"
					 : "via 2001:db8:30::11 dev lan0 onlink");
}

static void by_host2_in_ipv6(void)
{
	add_route("", "via inet6 2001:db8:30::11 dev lan0");
}

static void by_a_nexthop_object(void)
{
	world_ip(row_family() == V4 ? "nexthop add id 7 via 192.0.2.11 dev lan0"
				    : "nexthop add id 7 via 2001:db8:30::11 dev lan0");
	add_route("", "nhid 7");
}

static void del_nexthop_object(void)
{
	world_ip("nexthop del id 7"); /* takes the route with it */
}

static void set_router(const char *words)
{
	char line[160];

	make_next_hop_stale();
	snprintf(line, sizeof(line), "neigh replace %s dev lan0 %s",
		 places_text("router", row_family()), words);
	world_ip(line);
}

static void router_has_another_mac(void)
{
	set_router("lladdr 02:00:00:00:00:11 nud permanent"); /* that of host2 */
}

static void router_is_failed(void)
{
	set_router("nud failed");
}

static void router_is_back(void)
{
	set_router("lladdr 02:00:00:00:00:fe nud permanent");
}

#define BOTH ((enum family)0)

#define AT_FAR        udp("phone", 20000, "far", 53, .ttl = 63)
#define AT_FAR_MASQED udp("lan", 20000, "far", 53, .ttl = 63)

#define TO_FAR(change, ...)                                                                    \
	{                                                                                      \
		.before = (change), .hook = FROM_TUNNEL, .in = udp("phone", 20000, "far", 53), \
		.then = __VA_ARGS__, .flows = 1                                                \
	}

/* A route that is there before the flow, and one that a translated flow meets later. */
#define ENDS(what, change, ...)                                                      \
	{ .name = what,                                                              \
	  .policy = OPEN_MASQ,                                                       \
	  .steps = { { FROM_TUNNEL, udp("phone", 20000, "far", 53), __VA_ARGS__,     \
		       .before = (change) } },                                       \
	  .after = del_route },                                                      \
	{                                                                            \
		.name = what "_from_now_on", .policy = OPEN_MASQ,                    \
		.steps = { TO_FAR(NULL, resolves(LAN0, AT_FAR_MASQED)),              \
			   TO_FAR(NULL, sends(LAN0, "router", AT_FAR_MASQED)),       \
			   TO_FAR(change, __VA_ARGS__), TO_FAR(NULL, __VA_ARGS__) }, \
		.after = del_route                                                   \
	}

/* First the router's, then host2's MAC: by the kernel's table once, then directly. */
#define FOLLOWS(what, family, change, undo)                              \
	{                                                                \
		.name = what, .policy = OPEN_ROUTED, .only = (family),   \
		.steps = { TO_FAR(NULL, resolves(LAN0, AT_FAR)),         \
			   TO_FAR(NULL, sends(LAN0, "router", AT_FAR)),  \
			   TO_FAR(change, resolves(LAN0, AT_FAR)),       \
			   TO_FAR(NULL, sends(LAN0, "host2", AT_FAR)) }, \
		.after = (undo)                                          \
	}

static const struct row rows[] = {
	ENDS("leaves_unreachable_to_the_stack", unreachable, passes(stack_route)),
	ENDS("leaves_prohibit_to_the_stack", prohibit, passes(stack_route)),
	ENDS("leaves_no_route_to_the_stack", throw, passes(stack_route)),
	ENDS("leaves_a_local_route_to_the_stack", local, passes(stack_route)),
	ENDS("drops_what_leaves_encapsulated", encapsulate, drops(no_route)),
	ENDS("drops_into_a_blackhole", blackhole, drops(blackhole)),
	ENDS("drops_what_leaves_by_a_foreign_device", by_a_foreign_device, drops(no_route)),
	FOLLOWS("follows_a_gateway", BOTH, by_host2, del_route),
	FOLLOWS("follows_a_gateway_that_is_on_link_by_decree", BOTH, by_host2_on_link, del_route),
	FOLLOWS("follows_a_gateway_of_the_other_family", V4, by_host2_in_ipv6, del_route),
	FOLLOWS("follows_a_nexthop_object", BOTH, by_a_nexthop_object, del_nexthop_object),
	FOLLOWS("follows_a_neighbour_to_another_mac", BOTH, router_has_another_mac, router_is_back),
	{ .name = "leaves_a_failed_neighbour_to_the_kernel_until_it_is_back",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  TO_FAR(NULL, resolves(LAN0, AT_FAR)),
		  TO_FAR(NULL, sends(LAN0, "router", AT_FAR)),
		  TO_FAR(router_is_failed, resolves(LAN0, AT_FAR)),
		  TO_FAR(NULL, resolves(LAN0, AT_FAR)),
		  TO_FAR(router_is_back, resolves(LAN0, AT_FAR)),
		  TO_FAR(NULL, sends(LAN0, "router", AT_FAR)),
	  },
	  .after = router_is_back },
};
ROWS(rows)
