// SPDX-License-Identifier: GPL-2.0-only
/*
 * A route on the LAN side that is narrower than its device. What bpf_fib_lookup tells of it is a
 * locked MTU, or one that this machine has learned; an unlocked one it does not see.
 */
#include <stdio.h>

#include "places.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define WHOLE(size)    .frag = DF, .payload_size = (size)
#define BIG            1280 /* with any headers more than 1300, and less than 1420 */
#define FITS_V4        1272
#define FITS_V6        1252
#define TO_FAR(...)    udp("phone", 20000, "far", 53, ##__VA_ARGS__)
#define AT_FAR(...)    udp("phone", 20000, "far", 53, .ttl = 63, ##__VA_ARGS__)
#define TO_BEYOND(...) udp("host", 5000, "beyond", 53, ##__VA_ARGS__)
#define OPENED                                                              \
	{                                                                   \
		FROM_TUNNEL, TO_FAR(), resolves(LAN0, AT_FAR()), .flows = 1 \
	}
#define about(what, by, to, through, ...)                                   \
	{                                                                   \
		.fate = SENT, .reason = TP_R_answered, .device = (through), \
		.out = {.proto = IPPROTO_ICMP,                              \
			what,                                               \
			.src = (by),                                        \
			.dst = (to),                                        \
			.quote = &(const struct packet)__VA_ARGS__,         \
			.quote_fits = true,                                 \
			.tos = 0xc0,                                        \
			.frag = DF,                                         \
			.no_id = true }                                     \
	}

/* As if the next hop had been looked up two seconds ago, if the flow is there already. */
static void make_stale(const char *src, int sport, const char *dst, enum tp_side side)
{
	const struct packet known = udp(src, sport, dst, 53);
	struct ports none = {};
	struct tp_flow_key key = state_key(&known, row_family(), &none, side);
	struct tp_flow flow;

	if (!state_find_flow(&key, &flow))
		return;
	flow.checked -= 2 * rig_hz();
	state_write_flow(&key, &flow);
}

static void route(const char *verb, const char *to, const char *more)
{
	char words[160];

	snprintf(words, sizeof(words), "route %s %s %s", verb, places_text(to, row_family()), more);
	world_ip(words);
}

/* The way to "far", by the router as before. */
static void narrow(const char *mtu)
{
	char more[80];

	make_stale("phone", 20000, "far", TP_SIDE_TUNNEL);
	snprintf(more, sizeof(more), "via %s dev lan0 mtu %s", places_text("router", row_family()),
		 mtu);
	route("replace", "far", more);
}

static void locked(void)
{
	narrow("lock 1300");
}

static void unlocked(void)
{
	narrow("1300");
}

static void wider(void)
{
	narrow("lock 1400");
}

static void as_before(void)
{
	route("del", "far", "");
}

static void set_router(const char *more)
{
	char words[160];

	snprintf(words, sizeof(words), "neigh replace %s dev lan0 %s",
		 places_text("router", row_family()), more);
	world_ip(words);
}

static void locked_and_no_neighbour(void)
{
	locked();
	set_router("nud failed");
}

static void neighbour_is_back(void)
{
	set_router("lladdr 02:00:00:00:00:fe nud permanent");
	as_before();
}

static void narrow_beyond(void)
{
	make_stale("host", 5000, "beyond", TP_SIDE_LAN);
	route("replace", "beyond", "dev lan1 mtu lock 1300");
}

static void beyond_as_before(void)
{
	route("del", "beyond", "dev lan1");
}

static void number(const char *verb)
{
	char words[80];

	snprintf(words, sizeof(words), "addr %s 192.0.2.1/24 dev lan0", verb);
	world_ip(words);
	snprintf(words, sizeof(words), "addr %s 2001:db8:30::1/64 dev lan0 nodad", verb);
	world_ip(words);
}

static void narrow_beyond_unnumbered(void)
{
	number("del");
	rig_switch(JUDGED_MASQ);
	narrow_beyond();
}

static void numbered_as_before(void)
{
	number("add");
	world_ip("route replace 203.0.113.0/24 via 192.0.2.254");
	world_ip("route replace 2001:db8:71::/64 via 2001:db8:30::fe");
	world_neighbours();
	beyond_as_before();
}

static void narrow_host(void)
{
	route("replace", "host", "dev lan0 mtu lock 1300");
}

static void host_as_before(void)
{
	route("del", "host", "dev lan0");
}

static const struct row rows[] = {
	{ .name = "the_first_packet_is_too_big_for_a_locked_route",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), passes(too_big), .flows = 1,
		    .before = locked },
		  { FROM_TUNNEL, TO_FAR(), sends(LAN0, "router", AT_FAR()), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), passes(too_big), .flows = 1 },
	  },
	  .after = as_before },
	{ .name = "a_known_flow_learns_of_a_locked_route",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED,
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), sends(LAN0, "router", AT_FAR(WHOLE(BIG))),
		    .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), passes(too_big), .flows = 1,
		    .before = locked },
		  { FROM_TUNNEL, TO_FAR(), sends(LAN0, "router", AT_FAR()), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), passes(too_big), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(), resolves(LAN0, AT_FAR()), .flows = 1,
		    .before = wider },
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), sends(LAN0, "router", AT_FAR(WHOLE(BIG))),
		    .flows = 1 },
	  },
	  .after = as_before },
	{ .name = "what_just_fits_a_locked_route",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, TO_FAR(WHOLE(FITS_V4)),
		    resolves(LAN0, AT_FAR(WHOLE(FITS_V4))), .flows = 1, .before = locked },
		  { FROM_TUNNEL, TO_FAR(WHOLE(FITS_V4)),
		    sends(LAN0, "router", AT_FAR(WHOLE(FITS_V4))), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(WHOLE(FITS_V4 + 1)), passes(too_big), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(.payload_size = FITS_V4 + 1), passes(too_big),
		    .flows = 1 },
	  },
	  .after = as_before },
	{ .name = "what_just_fits_a_locked_route_in_ipv6",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, TO_FAR(WHOLE(FITS_V6)),
		    resolves(LAN0, AT_FAR(WHOLE(FITS_V6))), .flows = 1, .before = locked },
		  { FROM_TUNNEL, TO_FAR(WHOLE(FITS_V6)),
		    sends(LAN0, "router", AT_FAR(WHOLE(FITS_V6))), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(WHOLE(FITS_V6 + 1)), passes(too_big), .flows = 1 },
	  },
	  .after = as_before },
	{ .name = "a_super_packet_is_as_large_as_its_segments",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), resolves(LAN0, AT_FAR(WHOLE(BIG))),
		    .flows = 1, .gso_size = 640, .before = locked },
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), sends(LAN0, "router", AT_FAR(WHOLE(BIG))),
		    .flows = 1, .gso_size = 640 },
	  },
	  .after = as_before },
	{ .name = "an_unlocked_mtu_does_not_count",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), resolves(LAN0, AT_FAR(WHOLE(BIG))),
		    .flows = 1, .before = unlocked },
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), sends(LAN0, "router", AT_FAR(WHOLE(BIG))),
		    .flows = 1 },
	  },
	  .after = as_before },
	{ .name = "a_locked_route_counts_before_its_neighbour_is_known",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), passes(too_big), .flows = 1,
		    .before = locked_and_no_neighbour },
		  { FROM_TUNNEL, TO_FAR(), resolves(LAN0, AT_FAR()), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), passes(too_big), .flows = 1 },
		  { FROM_TUNNEL, TO_FAR(.payload_size = 1200),
		    resolves(LAN0, AT_FAR(.payload_size = 1200)), .flows = 1 },
	  },
	  .after = neighbour_is_back },
	{ .name = "an_error_that_is_too_big_for_a_locked_route_is_not_answered",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED,
		  { FROM_TUNNEL,
		    error(TOO_BIG(1300), "phone", "far",
			  udp("far", 53, "phone", 20000, .payload_size = BIG)),
		    drops(unanswered), .flows = 1, .before = locked },
	  },
	  .after = as_before },
	/* if the MTU was one that this machine has learned, the stack does not go by it */
	{ .name = "what_the_stack_sends_on_nevertheless_is_translated",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, TO_FAR(WHOLE(BIG)), passes(too_big), .flows = 1,
		    .before = locked },
		  { INTO_LAN_FROM_TUNNEL, AT_FAR(WHOLE(BIG)),
		    passes_as(translated,
			      udp("lan", 20000, "far", 53, .ttl = 63, WHOLE(BIG))),
		    .flows = 1 },
	  },
	  .after = as_before },
	/* and nothing would translate it from one LAN to another */
	{ .name = "between_lans_we_answer_for_a_locked_route",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, TO_BEYOND(WHOLE(BIG)),
		    about(TOO_BIG(1300), "lan", "host", LAN0, TO_BEYOND(WHOLE(BIG))),
		    .before = narrow_beyond },
		  { FROM_LAN, TO_BEYOND(),
		    resolves(LAN1, udp("lan1", PORT_A, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, TO_BEYOND(WHOLE(BIG)),
		    about(TOO_BIG(1300), "lan", "host", LAN0, TO_BEYOND(WHOLE(BIG))),
		    .flows = 1 },
	  },
	  .after = beyond_as_before },
	{ .name = "between_lans_an_unnumbered_one_hears_of_the_others_address",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, TO_BEYOND(WHOLE(BIG)),
		    about(TOO_BIG(1300), "lan1", "host", LAN0, TO_BEYOND(WHOLE(BIG))),
		    .before = narrow_beyond_unnumbered },
	  },
	  .after = numbered_as_before },
	{ .name = "between_lans_we_answer_on_the_way_back",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, TO_BEYOND(),
		    resolves(LAN1, udp("lan1", PORT_A, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", PORT_A, WHOLE(BIG)),
		    about(TOO_BIG(1300), "lan1", "beyond", LAN1,
			  udp("beyond", 53, "lan1", PORT_A, WHOLE(BIG))),
		    .flows = 1, .before = narrow_host },
	  },
	  .after = host_as_before },
};
ROWS(rows)
