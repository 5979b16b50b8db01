// SPDX-License-Identifier: GPL-2.0-only
/* Source NAT: addresses, ports, checksums, and the way back. */
#include <string.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define TWO_PORTS POLICY(MASQUERADE, GRANT_ALL, POLICY_LIMITS("\"snat_ports\": \"20000-20001\""))

static void no_address_on_lan1(void)
{
	world_ip(row_family() == V4 ? "addr del 198.51.100.1/24 dev lan1"
				    : "addr del 2001:db8:31::1/64 dev lan1");
	world_ip(row_family() == V4 ? "route replace 198.51.100.0/24 dev lan1"
				    : "route replace 2001:db8:31::/64 dev lan1");
	rig_switch(OPEN_MASQ);
}

static void address_on_lan1(void)
{
	world_ip(row_family() == V4 ? "route del 198.51.100.0/24 dev lan1"
				    : "route del 2001:db8:31::/64 dev lan1");
	world_ip(row_family() == V4 ? "addr add 198.51.100.1/24 dev lan1"
				    : "addr add 2001:db8:31::1/64 dev lan1 nodad");
	world_neighbours();
}

#define AUTHENTICATED EXT(51, "\21\4\0\0spi.seq.integrity...")

static const struct row rows[] = {
	{ .name = "a_host_cannot_take_over_what_a_member_has_open_to_it",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 22),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 22, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, tcp(SYN, "host", 22, "phone", 20000), drops(clash), .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 22),
		    sends(LAN0, "host", tcp(ACK, "lan", 20000, "host", 22, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "keeps_a_port_of_the_range",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "keeps_both_ends_of_the_range",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 16384, "host", 53),
		    resolves(LAN0, udp("lan", 16384, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 29999, "host", 53),
		    resolves(LAN0, udp("lan", 29999, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 16383, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 3 },
		  { FROM_TUNNEL, udp("phone", 30000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_B, "host", 53, .ttl = 63)), .flows = 4 },
	  } },
	{ .name = "gives_other_ports_one_of_the_range",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .tos = 0xbb),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .tos = 0xbb, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", PORT_A, .tos = 0xbb),
		    tunnels(udp("host", 53, "phone", 5000, .tos = 0xbb, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "translates_tcp",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", PORT_A, "host", 80, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "lan", PORT_A),
		    tunnels(tcp(SYN | ACK, "host", 80, "phone", 5000, .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "host", 80, .payload = "odd"),
		    sends(LAN0, "host",
			  tcp(ACK, "lan", PORT_A, "host", 80, .payload = "odd", .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "maps_independently_of_the_endpoint",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "host2", 123),
		    resolves(LAN0, udp("lan", PORT_A, "host2", 123, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, udp("host2", 123, "lan", PORT_A),
		    tunnels(udp("host2", 123, "phone", 5000, .ttl = 63)), .flows = 2 },
		  /* filtering depends on address and port */
		  { FROM_LAN, udp("host2", 124, "lan", PORT_A), passes(not_ours),
		    .flows = 2 },
		  { FROM_LAN, udp("ghost", 123, "lan", PORT_A), passes(not_ours),
		    .flows = 2 },
	  } },
	{ .name = "two_clients_do_not_share_a_port",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 20000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_B, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", PORT_B),
		    tunnels(udp("host", 53, "tablet", 20000, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", PORT_A),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "protocols_have_ports_of_their_own",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, tcp(SYN, "tablet", 20000, "host", 53),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 53, .ttl = 63)),
		    .flows = 2 },
		  { FROM_TUNNEL, ping("tablet", "host", 20000),
		    resolves(LAN0, ping("lan", "host", 20000, .ttl = 63)), .flows = 3 },
	  } },
	{ .name = "echoes_get_distinct_identifiers",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, ping("phone", "host", 7),
		    resolves(LAN0, ping("lan", "host", PORT_A, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, ping("tablet", "host", 7),
		    resolves(LAN0, ping("lan", "host", PORT_B, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, pong("host", "lan", PORT_A),
		    tunnels(pong("host", "phone", 7, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, pong("host", "lan", PORT_B),
		    tunnels(pong("host", "tablet", 7, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, pong("host2", "lan", PORT_B), passes(not_ours), .flows = 2 },
	  } },
	{ .name = "the_router_keeps_its_own_services",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN, "host", 5000, "lan", 22), passes(not_ours),
		    .flows = 1 },
		  { FROM_LAN, tcp(ACK, "host", 80, "lan", 20001), passes(not_ours),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN, "host2", 80, "lan", 20000), passes(not_ours),
		    .flows = 1 },
	  } },
	{ .name = "masquerades_as_the_egress_device",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", 20000),
		    tunnels(udp("beyond", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "does_not_leave_untranslated_for_want_of_an_address",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "beyond", 53), drops(nat_no_address),
		    .before = no_address_on_lan1 },
	  },
	  .after = address_on_lan1 },
	{ .name = "translates_to_a_fixed_address",
	  .policy = OPEN_SNAT,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "host", 80),
		    resolves(LAN0, tcp(SYN, "snat", PORT_A, "host", 80, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "snat", PORT_A),
		    tunnels(tcp(SYN | ACK, "host", 80, "phone", 5000, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "an_unsummed_udp_packet_stays_so",
	  .policy = OPEN_MASQ,
	  .only = V4, /* IPv6 has no such thing */
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .udp_unsummed = true),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .udp_unsummed = true,
				       .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", PORT_A, .udp_unsummed = true),
		    tunnels(udp("host", 53, "phone", 5000, .udp_unsummed = true, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "protocols_without_ports_do_not_get_out_untranslated",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, ip(47, "phone", "host"), drops(nat_proto) },
		  { FROM_TUNNEL, ip(50, "phone", "host"), drops(nat_proto) },
		  { FROM_TUNNEL, ip(132, "phone", "host"), drops(nat_proto) },
	  } },
	{ .name = "what_authenticates_its_addresses_is_not_translated",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, AUTHENTICATED), drops(nat_proto) },
		  { FROM_TUNNEL, udp("phone", 5000, "tablet", 53, AUTHENTICATED),
		    tunnels(udp("phone", 5000, "tablet", 53, AUTHENTICATED, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "an_authenticated_packet_of_a_translated_flow_stays_here",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, AUTHENTICATED),
		    drops(nat_proto), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000, AUTHENTICATED), drops(nat_proto),
		    .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL, udp("phone", 20000, "host", 53, AUTHENTICATED),
		    drops(nat_proto), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "traffic_between_members_is_not_translated",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "tablet", 53),
		    tunnels(udp("phone", 5000, "tablet", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "remote", 53),
		    tunnels(udp("phone", 5000, "remote", 53, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "what_the_stack_must_finish_gets_its_client_address_back",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", PORT_A, .payload_size = 1400),
		    passes_as(too_big, udp("host", 53, "phone", 5000, .payload_size = 1400)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", PORT_A, V4_OPTIONS("\1\1\1\0")),
		    passes_as(ip_options,
			      udp("host", 53, "phone", 5000, V4_OPTIONS("\1\1\1\0"))),
		    .flows = 1 },
	  } },
	{ .name = "refuses_when_all_ports_are_taken",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53), drops(nat_full), .flows = 2 },
		  /* who has a port goes on, to new places too */
		  { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
		    resolves(LAN0, udp("lan", 20000, "host2", 53, .ttl = 63)), .flows = 3 },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 53),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 53, .ttl = 63)),
		    .flows = 4 },
	  } },
};
ROWS(rows)

/* ---- UDP checksums that come out as zero --------------------------------------------------- */

/* A payload with which the packet's checksum is 0xffff, for want of a 0. */
static void find_zero_checksum(struct packet *packet, enum family family, char payload[3])
{
	size_t at = (family == V4 ? 20 : 40) + 6;
	struct ports none = {};
	uint8_t bytes[FRAME_MAX];
	unsigned int word;

	packet->payload = payload;
	packet->payload_size = 2;
	for (word = 0; word < 0x10000; word++) {
		payload[0] = (char)(word >> 8);
		payload[1] = (char)word;
		if (!payload[0] || !payload[1])
			continue; /* payloads are strings */
		packet_put(packet, family, &none, bytes);
		if (bytes[at] == 0xff && bytes[at + 1] == 0xff)
			return;
	}
	CHECK(!"no such payload");
}

static void check_zero_checksum(enum family family)
{
	struct step step = { FROM_TUNNEL, udp("phone", 20000, "host", 53),
			     resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 };
	struct ports none = {};
	char payload[3] = "";

	find_zero_checksum(&step.then.out, family, payload);
	step.in.payload = payload;
	step.in.payload_size = 2;
	row_start(OPEN_MASQ, family);
	row_step(&step, family, &none);
}

/* XDP edits checksums by itself. */
static void check_zero_checksum_xdp(enum family family)
{
	struct step step = { FROM_LAN, udp("host", 20000, "beyond", 53),
			     resolves(LAN1, udp("lan1", 20000, "beyond", 53, .ttl = 63)),
			     .flows = 1 };
	struct ports none = {};
	char payload[3] = "";

	find_zero_checksum(&step.then.out, family, payload);
	step.in.payload = payload;
	step.in.payload_size = 2;
	row_start(JUDGED_MASQ, family);
	rig_note_native(true, true);
	row_step(&step, family, &none);

	step.hook = FROM_WIRE;
	step.then.reason = TP_R_forward;
	step.then.next = "beyond";
	row_step(&step, family, &none);
	rig_note_native(false, false);
}

TEST(a_udp_checksum_never_becomes_zero)
{
	check_zero_checksum_xdp(V4);
	check_zero_checksum_xdp(V6);
	check_zero_checksum(V4);
	check_zero_checksum(V6);
}
