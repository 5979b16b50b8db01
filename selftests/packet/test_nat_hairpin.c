// SPDX-License-Identifier: GPL-2.0-only
/* From one member to the outside address and port of another (RFC 4787 REQ-9, RFC 5382 REQ-8). */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define TWO_PORTS POLICY(MASQUERADE, GRANT_ALL, POLICY_LIMITS("\"snat_ports\": \"20000-20001\""))

/* The router's own address is in the prefix that both may go to; each other is not. */
#define LAN_ONLY       POLICY(MASQUERADE, TO_LAN, "")
#define BUT_NOT_TABLET POLICY(MASQUERADE, GRANT_ALL ", " DENY("phone", "tablet", "udp:20001"), "")

/* tablet has a mapping: lan:20001. */
#define TABLET_IS_MAPPED                                                                     \
	{                                                                                    \
		FROM_TUNNEL, udp("tablet", 20001, "host", 53),                               \
			resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 1 \
	}
#define TABLET_IS_MAPPED_TCP                                                                      \
	{                                                                                         \
		FROM_TUNNEL, tcp(SYN, "tablet", 20001, "host", 80),                               \
			resolves(LAN0, tcp(SYN, "lan", 20001, "host", 80, .ttl = 63)), .flows = 1 \
	}

static void allow_lan_only(void)
{
	rig_switch(LAN_ONLY);
}

#define TO_LAN1 GRANT("phone", "198.51.100.1", "*") ", " GRANT("phone", "2001:db8:31::1", "*")

static const struct row rows[] = {
	{ .name = "a_hairpin_shows_the_outside_of_both",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20001, .tos = 0xbb),
		    tunnels(udp("lan", PORT_A, "tablet", 20001, .tos = 0xbb, .ttl = 63)),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", PORT_A),
		    tunnels(udp("lan", 20001, "phone", 5000, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20001, .payload = "odd"),
		    tunnels(udp("lan", PORT_A, "tablet", 20001, .payload = "odd", .ttl = 63)),
		    .flows = 2 },
	  } },
	{ .name = "a_hairpin_carries_tcp",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED_TCP,
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "lan", 20001),
		    tunnels(tcp(SYN, "lan", PORT_A, "tablet", 20001, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, tcp(SYN | ACK, "tablet", 20001, "lan", PORT_A),
		    tunnels(tcp(SYN | ACK, "lan", 20001, "phone", 5000, .ttl = 63)),
		    .flows = 2 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "lan", 20001),
		    tunnels(tcp(ACK, "lan", PORT_A, "tablet", 20001, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "a_hairpin_clamps_the_mss",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  TABLET_IS_MAPPED_TCP,
		  { FROM_TUNNEL,
		    tcp(SYN, "phone", 5000, "lan", 20001, TCP_OPTIONS("\2\4\x05\xb4")),
		    tunnels(tcp(SYN, "lan", PORT_A, "tablet", 20001, .ttl = 63,
				TCP_OPTIONS("\2\4\x05\x64"))), /* 1380 */
		    .flows = 2 },
	  } },
	{ .name = "a_hairpin_clamps_the_mss",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  TABLET_IS_MAPPED_TCP,
		  { FROM_TUNNEL,
		    tcp(SYN, "phone", 5000, "lan", 20001, TCP_OPTIONS("\2\4\x05\xb4")),
		    tunnels(tcp(SYN, "lan", PORT_A, "tablet", 20001, .ttl = 63,
				TCP_OPTIONS("\2\4\x05\x50"))), /* 1360 */
		    .flows = 2 },
	  } },
	{ .name = "a_hairpin_keeps_a_port_of_the_range",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001),
		    tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "a_hairpin_uses_the_mapping_that_there_is",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20001),
		    tunnels(udp("lan", PORT_A, "tablet", 20001, .ttl = 63)), .flows = 3 },
		  { FROM_TUNNEL, udp("phone", 5000, "host2", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host2", 53, .ttl = 63)), .flows = 4 },
	  } },
	{ .name = "both_may_send_first_and_share_the_flow",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001),
		    tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 3 },
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", 20000),
		    tunnels(udp("lan", 20001, "phone", 20000, .ttl = 63)), .flows = 3 },
	  } },
	{ .name = "a_hairpin_is_judged_as_what_it_is_meant_for",
	  .policy = LAN_ONLY,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20001), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20002), passes(deliver), .flows = 2 },
	  } },
	{ .name = "a_hairpin_is_denied_by_the_inside_port",
	  .policy = BUT_NOT_TABLET,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20001), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 20005, "host", 53),
		    resolves(LAN0, udp("lan", 20005, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20005),
		    tunnels(udp("lan", 20000, "tablet", 20005, .ttl = 63)), .flows = 3 },
	  } },
	{ .name = "a_hairpin_is_judged_again_as_what_it_is_meant_for",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001),
		    tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", 20000), drops(acl), .flows = 1,
		    .before = allow_lan_only },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001), drops(acl), .flows = 1 },
	  } },
	{ .name = "an_unmapped_port_is_this_machines",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20002), passes(deliver), .flows = 2 },
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "lan", 22), passes(deliver),
		    .flows = 3 },
		  /* the mapping is one of UDP; ports mean nothing to an echo */
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "lan", 20001), passes(deliver),
		    .flows = 4 },
		  { FROM_TUNNEL, ping("phone", "lan", 20001), passes(deliver), .flows = 5 },
		  /* and another address of this machine */
		  { FROM_TUNNEL, udp("phone", 5000, "self", 20001), passes(deliver),
		    .flows = 6 },
		  { FROM_TUNNEL, udp("phone", 5000, "lan1", 20001), passes(deliver),
		    .flows = 7 },
	  } },
	{ .name = "a_hairpin_begins_with_syn",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED_TCP,
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "lan", 20001), drops(invalid),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(RST, "phone", 5000, "lan", 20001), drops(invalid),
		    .flows = 1 },
	  } },
	{ .name = "a_member_may_hairpin_to_itself",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("tablet", 20003, "lan", 20001),
		    tunnels(udp("lan", 20003, "tablet", 20001, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", 20003),
		    tunnels(udp("lan", 20001, "tablet", 20003, .ttl = 63)), .flows = 2 },
		  /* but not into the very socket that sends */
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", 20001), drops(martian),
		    .flows = 2 },
	  } },
	{ .name = "a_hairpin_carries_no_options",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001),
		    tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 2 },
	  } },
	/*
	 * "rewrite", because in a test run bpf_skb_adjust_room does nothing with a packet without
	 * Ethernet header: so far and no further. test_mtu.py compares the answers.
	 */
	{ .name = "a_hairpin_that_goes_no_further_is_answered_by_us",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001, .ttl = 1), drops(rewrite),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001, .ttl = TTL_ZERO),
		    drops(malformed), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001),
		    tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001, .ttl = 1), drops(rewrite),
		    .flows = 2 },
	  } },
	{ .name = "a_hairpin_takes_a_port_of_its_own",
	  .policy = TWO_PORTS,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("tablet", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 5000, "lan", 20001), drops(nat_full), .flows = 2 },
		  { FROM_TUNNEL, udp("tablet", 20000, "lan", 20001),
		    tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 3 },
	  } },
	{ .name = "what_went_round_a_hairpin_is_not_judged_on_its_way_out",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TABLET_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001),
		    tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 2 },
		  { INTO_TUNNEL_OWN, udp("lan", 20000, "tablet", 20001, .ttl = 63),
		    passes(judged), .flows = 2 },
	  } },
	{ .name = "an_address_of_snat_makes_hairpins_too",
	  .policy = OPEN_SNAT,
	  .steps = {
		  { FROM_TUNNEL, udp("tablet", 20001, "host", 53),
		    resolves(LAN0, udp("snat", 20001, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "snat", 20001),
		    tunnels(udp("snat", PORT_A, "tablet", 20001, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("tablet", 20001, "snat", PORT_A),
		    tunnels(udp("snat", 20001, "phone", 5000, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "what_one_lan_opened_to_another_is_no_hairpins_end",
	  .policy = POLICY_JUDGED(MASQUERADE, LAN0_TO_LAN1 ", " TO_LAN ", " TO_LAN1, ""),
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 5000, "lan1", 20000), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "lan1", 20000), passes(deliver),
		    .flows = 2 },
	  } },
};
ROWS(rows)

/* ---- the mappings of both live as long as the hairpin -------------------------------------- */

static uint64_t users_of(const char *who, int port, enum family family)
{
	const struct packet from = udp(who, port, "host", 53);
	struct tp_nat_in_key key;
	struct tp_nat_in mapping;

	if (!state_find_mapping(&from, family, "lan", &key, &mapping))
		return 0;
	return mapping.users & TP_NAT_FLOWS;
}

static void bury(const struct step *step, enum family family)
{
	static const struct step other = { FROM_TUNNEL, udp("phone", 9, "tablet", 9),
					   tunnels(udp("phone", 9, "tablet", 9, .ttl = 63)) };
	struct ports none = {};
	struct tp_flow_key key = state_key(&step->in, family, &none, TP_SIDE_TUNNEL);
	struct step sweep = other;

	state_bury(&key);
	sweep.flows = state_live_flows() + 1;
	row_step(&sweep, family, &none);
	key = state_key(&sweep.in, family, &none, TP_SIDE_TUNNEL);
	state_bury(&key);
}

static void check_holds(enum family family)
{
	struct step open = { FROM_TUNNEL, udp("phone", 20000, "lan", 20001),
			     tunnels(udp("lan", 20000, "tablet", 20001, .ttl = 63)), .flows = 2 };
	struct step mapped = TABLET_IS_MAPPED;
	struct ports none = {};

	row_start(OPEN_MASQ, family);
	row_step(&mapped, family, &none);
	CHECK_INT(users_of("tablet", 20001, family), 1);
	row_step(&open, family, &none);
	CHECK_INT(users_of("tablet", 20001, family), 2);
	CHECK_INT(users_of("phone", 20000, family), 1);

	bury(&mapped, family);
	CHECK_INT(users_of("tablet", 20001, family), 1);
	open.flows = 1;
	row_step(&open, family, &none);
	bury(&open, family);
	CHECK_INT(state_count("tp_nat_in"), 0);
	CHECK_INT(state_count("tp_nat_out"), 0);
}

TEST(a_hairpin_holds_both_mappings)
{
	check_holds(V4);
	check_holds(V6);
}
