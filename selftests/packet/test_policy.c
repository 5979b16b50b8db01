// SPDX-License-Identifier: GPL-2.0-only
/* Grants, counters, and what a change of the policy does to flows that are there. */
#include <bpf/bpf.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define FROM_PHONE(what)                     \
	GRANT("phone", "192.0.2.0/24", what) \
	", " GRANT("phone", "2001:db8:30::/64", what)
#define NO_TELNET                           \
	DENY("*", "192.0.2.0/24", "tcp:23") \
	", " DENY("*", "2001:db8:30::/64", "tcp:23")

#define NOTHING   POLICY(NO_SNAT, "", "")
#define WEB       POLICY(NO_SNAT, FROM_PHONE("tcp:80"), "")
#define DNS       POLICY(NO_SNAT, FROM_PHONE("udp:53"), "")
#define DNS_OTHER POLICY(NO_SNAT, GRANT("tablet", "*", "udp:53") ", " FROM_PHONE("udp:53"), "")
#define DNS_MASQ  POLICY(MASQUERADE, FROM_PHONE("udp:53"), "")
#define DNS_SNAT  POLICY(SNAT_TO, FROM_PHONE("udp:53"), "")
#define DNS_SNAT2 POLICY(POLICY_SNAT("192.0.2.6", "2001:db8:30::6"), FROM_PHONE("udp:53"), "")

static void allow_web_only(void)
{
	rig_switch(WEB);
}

static void allow_nothing(void)
{
	rig_switch(NOTHING);
}

static void allow_by_another_rule(void)
{
	rig_switch(DNS_OTHER);
}

static void masquerade(void)
{
	rig_switch(DNS_MASQ);
}

static void translate_to_an_address(void)
{
	rig_switch(DNS_SNAT);
}

static void translate_to_another_address(void)
{
	rig_switch(DNS_SNAT2);
}

static const struct row rows[] = {
	{ .name = "drops_what_no_rule_allows",
	  .policy = WEB,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 81), drops(acl) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 80), drops(acl) },
		  { FROM_TUNNEL, tcp(SYN, "tablet", 1, "host", 80), drops(acl) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "far", 80), drops(acl) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "self", 80), drops(acl) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "tablet", 80), drops(acl) },
		  { FROM_TUNNEL, ping("phone", "host", 1), drops(acl) },
		  { FROM_LAN, tcp(SYN, "host", 80, "phone", 1), drops(acl) },
		  { FROM_LAN, udp("elsewhere", 1, "phone", 80), drops(acl) },
	  } },
	{ .name = "without_grants_nothing_is_allowed",
	  .policy = NOTHING,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 80), drops(acl) },
		  { FROM_TUNNEL, ping("phone", "self", 1), drops(acl) },
		  { FROM_LAN, ping("host", "phone", 1), drops(acl) },
		  { FROM_LAN, ping("host", "self", 1), drops(acl) },
		  { FROM_LAN, ping("host", "elsewhere", 1), passes(not_ours) },
	  } },
	{ .name = "answers_need_no_rule",
	  .policy = WEB,
	  .steps = {
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 1), drops(acl) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 80),
		    resolves(LAN0, tcp(SYN, "phone", 1, "host", 80, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 1),
		    tunnels(tcp(SYN | ACK, "host", 80, "phone", 1, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, tcp(ACK, "host", 80, "phone", 2), drops(acl), .flows = 1 },
		  { FROM_LAN, tcp(ACK, "host2", 80, "phone", 1), drops(acl), .flows = 1 },
	  } },
	{ .name = "deny_wins_over_accept",
	  .policy = POLICY(NO_SNAT, GRANT_ALL ", " NO_TELNET, ""),
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 23), drops(acl) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 22),
		    resolves(LAN0, tcp(SYN, "phone", 1, "host", 22, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "deny_wins_in_any_order",
	  .policy = POLICY(NO_SNAT, NO_TELNET ", " GRANT_ALL, ""),
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 23), drops(acl) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 22),
		    resolves(LAN0, tcp(SYN, "phone", 1, "host", 22, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "protocols_by_number",
	  .policy = POLICY(NO_SNAT, FROM_PHONE("proto:47"), ""),
	  .steps = {
		  { FROM_TUNNEL, ip(47, "phone", "host"),
		    resolves(LAN0, ip(47, "phone", "host", .ttl = 63)), .flows = 1 },
		  { FROM_LAN, ip(47, "host", "phone"),
		    tunnels(ip(47, "host", "phone", .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, ip(50, "phone", "host"), drops(acl), .flows = 1 },
	  } },
	{ .name = "sctp_has_ports_to_be_judged_by",
	  .policy = POLICY(NO_SNAT, FROM_PHONE("sctp:7"), ""),
	  .steps = {
		  { FROM_TUNNEL, sctp("phone", 1, "host", 7),
		    resolves(LAN0, sctp("phone", 1, "host", 7, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, sctp("host", 7, "phone", 1),
		    tunnels(sctp("host", 7, "phone", 1, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", sctp("phone", 1, "host", 7)),
		    tunnels(error(UNREACHABLE, "host", "phone", sctp("phone", 1, "host", 7),
				  .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", sctp("phone", 2, "host", 7)),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_LAN, sctp("host", 1, "phone", 7), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, sctp("phone", 1, "host", 8), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, sctp("phone", 1, "host", 7, .cut = 8), drops(malformed),
		    .flows = 1 },
	  } },
	{ .name = "a_removed_rule_ends_its_flows",
	  .policy = DNS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 53),
		    resolves(LAN0, udp("phone", 1, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 1, "host", 53), drops(acl),
		    .before = allow_web_only },
		  { FROM_LAN, udp("host", 53, "phone", 1), drops(acl) },
	  } },
	{ .name = "a_removed_rule_ends_its_answers",
	  .policy = DNS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 53),
		    resolves(LAN0, udp("phone", 1, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "phone", 1), drops(acl),
		    .before = allow_nothing },
	  } },
	{ .name = "a_flow_goes_on_under_another_rule",
	  .policy = DNS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 53),
		    resolves(LAN0, udp("phone", 1, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "phone", 1),
		    tunnels(udp("host", 53, "phone", 1, .ttl = 63)), .flows = 1,
		    .before = allow_by_another_rule },
		  { FROM_TUNNEL, udp("phone", 1, "host", 53),
		    sends(LAN0, "host", udp("phone", 1, "host", 53, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "translation_switched_on_ends_flows_without",
	  .policy = DNS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("phone", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53), drops(invalid),
		    .before = masquerade },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "another_address_ends_flows_of_the_old",
	  .policy = DNS_SNAT,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("snat", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53), drops(invalid),
		    .before = translate_to_another_address },
	  } },
	{ .name = "another_translation_ends_flows_of_the_old",
	  .policy = DNS_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000), drops(invalid),
		    .before = translate_to_an_address },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("snat", 20000, "host", 53, .ttl = 63)), .flows = 1 },
	  } },
};
ROWS(rows)

/* ---- counters ---------------------------------------------------------------------------- */

static uint32_t packet_bytes(const struct packet *packet)
{
	struct ports none = {};
	uint8_t bytes[FRAME_MAX];

	return (uint32_t)packet_put(packet, V4, &none, bytes);
}

TEST(counts_rule_route_and_peers_exactly)
{
	static const struct step question = {
		FROM_TUNNEL, udp("phone", 1, "host", 53),
		resolves(LAN0, udp("phone", 1, "host", 53, .ttl = 63)), .flows = 1
	};
	static const struct step answer = {
		FROM_LAN, udp("host", 53, "phone", 1, .payload = "an answer"),
		tunnels(udp("host", 53, "phone", 1, .payload = "an answer", .ttl = 63)), .flows = 1
	};
	uint32_t out = packet_bytes(&question.in), back = packet_bytes(&answer.in);
	struct tp_counter route, rule, rule_after, route_after;
	struct tp_peer_counter peer, peer_after;
	struct ports none = {};

	row_start(DNS_OTHER, V4);
	peer = state_peer_counter(rig_peer("phone"));
	route = state_route_counter(rig_route("192.0.2.0/24"));
	rule = state_rule_counter(rig_generation(), rig_rule(1));
	row_step(&question, V4, &none);
	row_step(&answer, V4, &none);

	rule_after = state_rule_counter(rig_generation(), rig_rule(1));
	CHECK_INT(rule_after.packets - rule.packets, 2);
	CHECK_INT(rule_after.bytes - rule.bytes, out + back);
	CHECK_INT(state_rule_counter(rig_generation(), rig_rule(0)).packets, 0);
	route_after = state_route_counter(rig_route("192.0.2.0/24"));
	CHECK_INT(route_after.packets - route.packets, 2);
	CHECK_INT(route_after.bytes - route.bytes, out + back);
	peer_after = state_peer_counter(rig_peer("phone"));
	CHECK_INT(peer_after.rx_packets - peer.rx_packets, 1);
	CHECK_INT(peer_after.rx_bytes - peer.rx_bytes, out);
	CHECK_INT(peer_after.tx_packets - peer.tx_packets, 1);
	CHECK_INT(peer_after.tx_bytes - peer.tx_bytes, back);
	CHECK_INT(peer_after.drops - peer.drops, 0);
}

TEST(counts_what_a_deny_refuses)
{
	static const struct step telnet = { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 23),
					    drops(acl) };
	static const struct step default_deny = { FROM_TUNNEL, udp("phone", 1, "host", 9),
						  drops(acl) };
	struct tp_peer_counter before;
	struct ports none = {};

	row_start(POLICY(NO_SNAT, FROM_PHONE("tcp:*") ", " NO_TELNET, ""), V4);
	before = state_peer_counter(rig_peer("phone"));
	row_step(&telnet, V4, &none);
	CHECK_INT(state_rule_counter(rig_generation(), rig_rule(2)).packets, 1);
	CHECK_INT(state_rule_counter(rig_generation(), rig_rule(2)).bytes,
		  packet_bytes(&telnet.in));
	CHECK_INT(state_rule_counter(rig_generation(), rig_rule(0)).packets, 0);
	row_step(&default_deny, V4, &none);
	CHECK_INT(state_peer_counter(rig_peer("phone")).drops - before.drops, 2);
	CHECK_INT(state_peer_counter(rig_peer("phone")).rx_packets - before.rx_packets, 0);
}

/* ---- the life of a policy ------------------------------------------------------------------ */

/* Writes the generation word as if no policy had been written yet. */
static uint64_t set_generation(uint64_t generation)
{
	const uint32_t zero = 0;
	struct tp_state state;
	uint64_t before;

	bpf_map_lookup_elem(rig_map("tp_state"), &zero, &state);
	before = state.generation;
	state.generation = generation;
	bpf_map_update_elem(rig_map("tp_state"), &zero, &state, BPF_ANY);
	return before;
}

TEST(before_the_first_policy_the_mesh_is_refused)
{
	static const struct step steps[] = {
		{ FROM_TUNNEL, udp("phone", 1, "host", 53), drops(no_policy) },
		{ FROM_TUNNEL, udp("phone", 1, "self", 53), drops(no_policy) },
		{ FROM_LAN, udp("host", 1, "elsewhere", 53), passes(not_ours) },
		{ INTO_TUNNEL_FROM_OTHER, udp("away", 1, "phone", 2), drops(unjudged) },
		{ INTO_LAN_FROM_TUNNEL, udp("phone", 1, "host", 53), drops(unjudged) },
		{ INTO_LAN_OWN, udp("lan", 1, "host", 53), passes(not_ours) },
	};
	struct ports none = {};
	uint64_t before;
	size_t i;

	row_start(OPEN_ROUTED, V4);
	before = set_generation(0);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		row_step(&steps[i], V4, &none);
		row_step(&steps[i], V6, &none);
	}
	set_generation(before);
}

/*
 * Case 41 in small: under either policy one of two ports is open and never both or none. Each
 * switch is followed by packets of both kinds.
 */
TEST(swaps_allow_what_one_policy_allows)
{
	static const char *const policies[] = { WEB, DNS };
	const struct packet packets[] = { tcp(SYN, "phone", 9, "host", 80),
					  udp("phone", 9, "host", 53) };
	struct ports none = {};
	uint8_t frame[FRAME_MAX];
	int i, kind;

	row_start(WEB, V4);
	for (i = 0; i < 40; i++) {
		rig_switch(policies[i % 2]);
		for (kind = 0; kind < 2; kind++) {
			size_t size = row_frame(FROM_TUNNEL, &packets[kind], V4, &none, frame);
			struct run run = {};

			rig_run(FROM_TUNNEL, frame, size, &run);
			CHECK_INT(run.retval, kind == i % 2 ? 7 : 2);
		}
	}
}
