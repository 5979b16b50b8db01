// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses of the LAN that this machine itself may answer for. "ghost" is one: no neighbour
 * answers for it. That what was handed over is let in again takes a real redirect: the net tier
 * shows it (test_local_vip.py).
 */
#include <bpf/bpf.h>
#include <stdlib.h>

#include "pieces.h"
#include "places.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"
#include "towpath/local_vip.h"

#define VIPS(snat4, snat6)                                  \
	", \"routes\": {"                                   \
	"\"192.0.2.0/24\": { \"snat\": \"" snat4 "\", "     \
	"\"local_vips\": [\"192.0.2.90-192.0.2.99\"] }, "   \
	"\"2001:db8:30::/64\": { \"snat\": \"" snat6 "\", " \
	"\"local_vips\": [\"2001:db8:30::90/124\", "        \
	"\"2001:db8:30::99\"] } }"

#define MASQ   VIPS("masquerade", "masquerade")
#define VIP    POLICY(MASQ, GRANT_ALL, "")
#define TO_DNS GRANT("*", "192.0.2.99", "53") ", " GRANT("*", "2001:db8:30::99", "53")

#define MSS_1460 TCP_OPTIONS("\2\4\5\xb4")
#define MSS_V4   TCP_OPTIONS("\2\4\5\x64")
#define MSS_V6   TCP_OPTIONS("\2\4\5\x50")

static struct tp_addr ghost(void)
{
	const struct packet packet = udp("phone", 5000, "ghost", 53);
	const struct ports none = {};

	return state_key(&packet, row_family(), &none, TP_SIDE_TUNNEL).dst;
}

/* As the daemon would find out. */
static void put(uint32_t where)
{
	struct tp_local_vip vip = { .where = where };
	struct tp_addr addr = ghost();

	if (bpf_map_update_elem(rig_map("tp_local_vips"), &addr, &vip, BPF_ANY))
		exit(2);
}

static struct tp_local_vip find(void)
{
	struct tp_addr addr = ghost();
	struct tp_local_vip vip = {};

	CHECK_INT(bpf_map_lookup_elem(rig_map("tp_local_vips"), &addr, &vip), 0);
	return vip;
}

static void is_here(void)
{
	put(TP_VIP_HERE);
}

static void is_elsewhere(void)
{
	put(TP_VIP_ELSEWHERE);
}

static void is_here_by_now(void)
{
	state_make_stale();
	put(TP_VIP_HERE);
}

static void time_passes(void)
{
	state_make_stale();
}

static void five_minutes_pass(void)
{
	const struct packet packet = tcp(SYN, "phone", 5000, "ghost", 53);
	const struct ports none = {};
	struct tp_flow_key key = state_key(&packet, row_family(), &none, TP_SIDE_TUNNEL);

	state_age(&key, 300);
}

static void policy_changes(void)
{
	rig_switch(POLICY(MASQ, TO_DNS, ""));
}

static void policy_has_none(void)
{
	rig_switch(OPEN_MASQ);
}

static void route_is_lan1(void)
{
	state_make_stale();
	world_ip(row_family() == V4 ? "route add 192.0.2.99 dev lan1"
				    : "route add 2001:db8:30::99 dev lan1");
}

static void route_is_as_before(void)
{
	world_ip(row_family() == V4 ? "route del 192.0.2.99" : "route del 2001:db8:30::99");
}

static void meeting_it_is_noted(void)
{
	CHECK_INT(find().where, TP_VIP_UNKNOWN);
	CHECK(find().used > 0);
	CHECK_INT(state_count("tp_local_vips"), 1);
}

static void use_is_noted(void)
{
	CHECK_INT(find().where, TP_VIP_HERE);
	CHECK(find().used > 0);
}

static const struct row rows[] = {
	{ .name = "goes_to_the_lan_until_somebody_has_asked_for_it",
	  .policy = VIP,
	  .steps = { { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		       resolves(LAN0, udp("lan", PORT_A, "ghost", 53, .ttl = 63)), .flows = 1 } },
	  .after = meeting_it_is_noted },
	{ .name = "goes_to_the_lan_where_another_machine_answers",
	  .policy = VIP,
	  .steps = { { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		       resolves(LAN0, udp("lan", PORT_A, "ghost", 53, .ttl = 63)), .flows = 1,
		       .before = is_elsewhere } } },
	{ .name = "is_handed_over_where_none_answers",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, .tos = 0xbb),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, .tos = 0xbb)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, .payload = "more"),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, .payload = "more")),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = time_passes },
	  },
	  .after = use_is_noted },
	{ .name = "whatever_the_route_is_translated_to",
	  .policy = POLICY(VIPS("192.0.2.5", "2001:db8:30::5"), GRANT_ALL, ""),
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = policy_changes },
	  } },
	{ .name = "other_hosts_go_to_the_lan",
	  .policy = VIP,
	  .steps = { { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		       resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 1,
		       .before = is_here } } },
	{ .name = "the_ttl_stays",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, .ttl = 1),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, .ttl = 1)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, .ttl = 1),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, .ttl = 1)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, .ttl = TTL_ZERO),
		    drops(malformed), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5001, "ghost", 53, .ttl = TTL_ZERO),
		    drops(malformed), .flows = 1 },
	  } },
	{ .name = "tcp_begins_with_syn_and_its_size_is_clamped",
	  .policy = VIP,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "ghost", 80), drops(invalid),
		    .before = is_here },
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "ghost", 80, MSS_1460),
		    hands_over(LAN0, tcp(SYN, "phone", 5000, "ghost", 80, MSS_V4)), .flows = 1 },
		  { INTO_TUNNEL_OWN, tcp(SYN | ACK, "ghost", 80, "phone", 5000), passes(judged),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "ghost", 80, .seq = 1, .ack = 1),
		    hands_over(LAN0, tcp(ACK, "phone", 5000, "ghost", 80, .seq = 1, .ack = 1)),
		    .flows = 1 },
	  } },
	{ .name = "tcp_begins_with_syn_and_its_size_is_clamped",
	  .policy = VIP,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "ghost", 80), drops(invalid),
		    .before = is_here },
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "ghost", 80, MSS_1460),
		    hands_over(LAN0, tcp(SYN, "phone", 5000, "ghost", 80, MSS_V6)), .flows = 1 },
		  { INTO_TUNNEL_OWN, tcp(SYN | ACK, "ghost", 80, "phone", 5000), passes(judged),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "ghost", 80, .seq = 1, .ack = 1),
		    hands_over(LAN0, tcp(ACK, "phone", 5000, "ghost", 80, .seq = 1, .ack = 1)),
		    .flows = 1 },
	  } },
	{ .name = "tcp_whose_answers_nobody_sees_lives_as_long_as_any",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "ghost", 53),
		    hands_over(LAN0, tcp(SYN, "phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "ghost", 53, .seq = 1, .ack = 1),
		    hands_over(LAN0, tcp(ACK, "phone", 5000, "ghost", 53, .seq = 1, .ack = 1)),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "ghost", 53, .seq = 1, .ack = 1),
		    hands_over(LAN0, tcp(ACK, "phone", 5000, "ghost", 53, .seq = 1, .ack = 1)),
		    .flows = 1, .before = five_minutes_pass },
	  } },
	{ .name = "answers_are_of_the_flow_whichever_way_they_come",
	  .policy = POLICY(MASQ, TO_DNS, ""),
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("ghost", 53, "phone", 5000, .ttl = 63),
		    drops(acl) },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { INTO_TUNNEL_OWN, udp("ghost", 53, "phone", 5000), passes(judged),
		    .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER, udp("ghost", 53, "phone", 5000, .ttl = 63),
		    passes(judged), .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN, udp("ghost", 53, "phone", 5000, .ttl = 63),
		    passes(judged), .flows = 1 },
		  { FROM_LAN, udp("ghost", 53, "phone", 5000),
		    tunnels(udp("ghost", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "errors_are_of_the_flow_both_ways",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "ghost", udp("ghost", 53, "phone", 5000)),
		    hands_over(LAN0, error(UNREACHABLE, "phone", "ghost",
					   udp("ghost", 53, "phone", 5000))),
		    .flows = 1 },
		  { INTO_TUNNEL_OWN,
		    error(UNREACHABLE, "lan", "phone", udp("phone", 5000, "ghost", 53)),
		    passes(judged), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", udp("phone", 5000, "ghost", 53)),
		    tunnels(error(UNREACHABLE, "host", "phone",
				  udp("phone", 5000, "ghost", 53), .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "pings_too",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, ping("phone", "ghost", 7),
		    hands_over(LAN0, ping("phone", "ghost", 7)), .flows = 1, .before = is_here },
		  { INTO_TUNNEL_OWN, pong("ghost", "phone", 7), passes(judged), .flows = 1 },
	  } },
	{ .name = "fragments_follow_their_first_one",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, LAST), drops(frag_unknown),
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, FIRST),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, FIRST)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, MIDDLE),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, MIDDLE)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, LAST),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, LAST)), .flows = 1 },
	  } },
	{ .name = "options_stay",
	  .policy = VIP,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, V4_OPTIONS("\1\1\1\0")),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, V4_OPTIONS("\1\1\1\0"))),
		    .flows = 1, .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53, V4_OPTIONS("\1\1\1\0")),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53, V4_OPTIONS("\1\1\1\0"))),
		    .flows = 1 },
	  } },
	{ .name = "is_judged_by_the_address_that_was_asked_for",
	  .policy = POLICY(MASQ, TO_DNS, ""),
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 54), drops(acl), .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1 },
	  } },
	{ .name = "moves_away_and_returns",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    resolves(LAN0, udp("lan", PORT_A, "ghost", 53, .ttl = 63)), .flows = 1,
		    .before = is_elsewhere },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here_by_now },
	  } },
	{ .name = "follows_the_kernels_route",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN1, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = route_is_lan1 },
	  },
	  .after = route_is_as_before },
	{ .name = "a_new_policy_that_allows_it_changes_nothing",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "ghost", 53),
		    hands_over(LAN0, tcp(SYN, "phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { INTO_TUNNEL_OWN, tcp(SYN | ACK, "ghost", 53, "phone", 5000), passes(judged),
		    .flows = 1 },
		  { INTO_TUNNEL_OWN, tcp(ACK, "ghost", 53, "phone", 5000, .seq = 1, .ack = 1),
		    passes(judged), .flows = 1, .before = policy_changes },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "ghost", 53, .seq = 1, .ack = 1),
		    hands_over(LAN0, tcp(ACK, "phone", 5000, "ghost", 53, .seq = 1, .ack = 1)),
		    .flows = 1 },
	  } },
	{ .name = "a_new_policy_without_it_sends_it_to_the_lan",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    resolves(LAN0, udp("lan", PORT_A, "ghost", 53, .ttl = 63)), .flows = 1,
		    .before = policy_has_none },
	  } },
	{ .name = "a_mesh_source_on_the_lan_stays_a_spoofed_one",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { FROM_LAN, udp("phone", 5000, "ghost", 53), drops(spoof), .flows = 1 },
		  { FROM_WIRE, udp("phone", 5000, "ghost", 53), drops(spoof), .flows = 1 },
		  { FROM_LAN, tcp(SYN, "phone", 5000, "ghost", 80), drops(spoof), .flows = 1 },
	  } },
	{ .name = "does_not_leave_with_its_mesh_source",
	  .policy = VIP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { INTO_LAN_FROM_LAN, udp("phone", 5000, "ghost", 53, .ttl = 63),
		    drops(unjudged), .flows = 1 },
		  { INTO_LAN_FROM_LAN, udp("phone", 5000, "ghost", 53, .ttl = 63, LAST),
		    drops(unjudged), .flows = 1 },
		  /* what a load balancer has made of it */
		  { INTO_LAN_FROM_LAN, udp("phone", 5000, "host", 53, .ttl = 63),
		    passes(not_ours), .flows = 1 },
	  } },
	{ .name = "nor_where_lans_are_judged",
	  .policy = POLICY_JUDGED(MASQ, GRANT_ALL, ""),
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 53)), .flows = 1,
		    .before = is_here },
		  { INTO_LAN_FROM_LAN, udp("phone", 5000, "ghost", 53, .ttl = 63),
		    drops(unjudged), .flows = 1 },
		  { INTO_LAN_FROM_LAN, udp("phone", 5000, "host", 53, .ttl = 63),
		    passes(not_ours), .flows = 1 },
	  } },
};

ROWS(rows)
