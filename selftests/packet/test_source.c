// SPDX-License-Identifier: GPL-2.0-only
/* Where packets may come from, and what is nobody's to forward. */
#include <stdio.h>
#include <string.h>

#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "test.h"

#define MALFORMED_HEADER .patch = { PATCH(0, 0x54) } /* version 5 */

static const struct row rows[] = {
	{ .name = "drops_a_source_that_nobody_in_the_mesh_owns",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("nobody", 1, "host", 2), drops(spoof) },
		  { FROM_TUNNEL, udp("host", 1, "host2", 2), drops(spoof) },
		  { FROM_TUNNEL, udp("elsewhere", 1, "host", 2), drops(spoof) },
		  { FROM_TUNNEL, udp("self", 1, "host", 2), drops(spoof) },
		  { FROM_TUNNEL, udp("lan", 1, "host", 2), drops(spoof) },
	  } },
	{ .name = "drops_mesh_sources_from_the_lan",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("phone", 1, "tablet", 2), drops(spoof) },
		  { FROM_LAN, udp("phone", 1, "elsewhere", 2), drops(spoof) },
		  { FROM_LAN, udp("branch", 1, "lan", 2), drops(spoof) },
		  { FROM_LAN, udp("remote", 1, "host", 2), drops(spoof) },
		  { FROM_LAN, udp("self", 1, "host", 2), drops(spoof) },
	  } },
	{ .name = "drops_fragments_with_mesh_sources_from_the_lan",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("phone", 1, "elsewhere", 2, FIRST), drops(spoof) },
		  { FROM_LAN, udp("phone", 1, "beyond", 2, LAST), drops(spoof) },
	  } },
	{ .name = "drops_an_expired_peer_both_ways",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("expired", 1, "host", 2), drops(peer_expired) },
		  { FROM_TUNNEL, udp("expired", 1, "self", 2), drops(peer_expired) },
		  { FROM_TUNNEL, udp("phone", 1, "expired", 2), drops(peer_expired) },
		  { FROM_LAN, udp("host", 1, "expired", 2), drops(peer_expired) },
	  } },
	{ .name = "drops_martian_sources",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("127.0.0.1", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("0.1.2.3", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("224.0.0.1", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("239.255.255.255", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("240.0.0.1", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("255.255.255.255", 1, "host", 2), drops(martian) },
	  } },
	{ .name = "drops_martian_sources",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("::", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("::1", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("ff02::1", 1, "host", 2), drops(martian) },
		  { FROM_TUNNEL, udp("::ffff:1.2.3.4", 1, "host", 2), drops(martian) },
		  /* the form that the maps hold IPv4 in must not smuggle the client in */
		  { FROM_TUNNEL, udp("::ffff:100.64.0.2", 1, "::ffff:192.0.2.10", 2),
		    drops(martian) },
	  } },
	/* of a device of this machine, whoever brings it; its lowest address is one as any other */
	{ .name = "drops_a_broadcast_address_as_source",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, udp("192.0.2.255", 1, "phone", 2), drops(martian) },
		  { FROM_LAN, tcp(SYN, "192.0.2.255", 1, "phone", 2), drops(martian) },
		  { FROM_LAN, ping("198.51.100.255", "self", 2), drops(martian) },
		  { FROM_LAN, udp("10.77.0.255", 1, "phone", 2), drops(martian) },
		  { FROM_TUNNEL, udp("192.0.2.255", 1, "phone", 2), drops(spoof) },
		  { FROM_LAN, udp("192.0.2.255", 1, "elsewhere", 2), passes(not_ours) },
		  { FROM_LAN, udp("192.0.2.0", 1, "phone", 2),
		    tunnels(udp("192.0.2.0", 1, "phone", 2, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "192.0.2.255", "phone",
				    udp("phone", 2, "192.0.2.0", 1)),
		    drops(martian), .flows = 1 },
	  } },
	{ .name = "ipv6_has_no_broadcast_address",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_LAN, udp("2001:db8:30:0:ffff:ffff:ffff:ffff", 1, "phone", 2),
		    tunnels(udp("2001:db8:30:0:ffff:ffff:ffff:ffff", 1, "phone", 2, .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 3, "2001:db8:30:0:ffff:ffff:ffff:ffff", 4),
		    resolves(LAN0, udp("phone", 3, "2001:db8:30:0:ffff:ffff:ffff:ffff", 4,
				       .ttl = 63)),
		    .flows = 2 },
	  } },
	/* RFC 2644; and the stack would give it to this machine's own sockets, around the grants */
	{ .name = "drops_what_is_for_a_whole_lan",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "192.0.2.255", 2), drops(no_route) },
		  { FROM_TUNNEL, ping("phone", "192.0.2.255", 2), drops(no_route) },
		  { FROM_TUNNEL, udp("phone", 1, "10.77.0.255", 2), drops(no_route) },
		  { FROM_LAN, udp("host", 1, "192.0.2.255", 2), passes(not_ours) },
	  } },
	{ .name = "nor_does_an_exit_node_forward_it",
	  .policy = EXIT_NODE,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "192.0.2.255", 2), drops(no_route) },
		  { FROM_TUNNEL, udp("phone", 1, "10.77.0.255", 2), drops(no_route) },
	  } },
	{ .name = "drops_martian_destinations",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "127.0.0.1", 2), drops(martian) },
		  { FROM_TUNNEL, udp("phone", 1, "0.0.0.0", 2), drops(martian) },
		  { FROM_TUNNEL, udp("phone", 1, "240.0.0.1", 2), drops(martian) },
	  } },
	{ .name = "drops_martian_destinations",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "::1", 2), drops(martian) },
		  { FROM_TUNNEL, udp("phone", 1, "::", 2), drops(martian) },
		  { FROM_TUNNEL, udp("phone", 1, "::ffff:192.0.2.10", 2), drops(martian) },
	  } },
	{ .name = "drops_a_packet_from_an_address_to_itself",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "phone", 1), drops(martian) },
		  { FROM_LAN, udp("phone", 1, "phone", 1), drops(martian) },
		  { FROM_LAN, udp("host", 1, "host", 1), passes(not_ours) },
	  } },
	{ .name = "multicast_and_broadcast_are_the_stacks",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, udp("host", 5353, "224.0.0.251", 5353), passes(local_scope) },
		  { FROM_LAN, udp("0.0.0.0", 68, "255.255.255.255", 67), passes(local_scope) },
		  { FROM_LAN, udp("169.254.1.1", 1, "phone", 2), passes(local_scope) },
		  { FROM_LAN_AS_BROADCAST, udp("host", 1, "phone", 2), passes(local_scope) },
	  } },
	{ .name = "multicast_and_link_local_are_the_stacks",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_LAN, udp("fe80::1", 1, "phone", 2), passes(local_scope) },
		  { FROM_LAN, udp("host", 1, "fe80::2", 2), passes(local_scope) },
		  { FROM_LAN, udp("host", 5353, "ff02::fb", 5353), passes(local_scope) },
		  { FROM_LAN_AS_BROADCAST, udp("host", 1, "phone", 2), passes(local_scope) },
	  } },
	{ .name = "through_the_tunnel_nothing_is_for_everybody",
	  .policy = EXIT_NODE,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5353, "224.0.0.251", 5353), drops(no_route) },
		  { FROM_TUNNEL, udp("phone", 1, "224.0.0.1", 2), drops(no_route) },
		  { FROM_TUNNEL, udp("phone", 1, "239.1.2.3", 2), drops(no_route) },
		  { FROM_TUNNEL, ping("phone", "224.0.0.1", 2), drops(no_route) },
		  { FROM_TUNNEL, udp("phone", 1, "255.255.255.255", 2), drops(martian) },
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "224.0.0.1",
				       udp("224.0.0.1", 1, "phone", 2)),
		    drops(icmp_unrelated) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "169.254.169.254", 80),
		    drops(no_route) },
		  { INTO_TUNNEL_OWN, udp("self", 5353, "224.0.0.251", 5353),
		    passes(local_scope) },
	  } },
	{ .name = "through_the_tunnel_nothing_is_for_everybody",
	  .policy = EXIT_NODE,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5353, "ff02::fb", 5353), drops(no_route) },
		  { FROM_TUNNEL, udp("phone", 1, "ff02::1", 2), drops(no_route) },
		  { FROM_TUNNEL, udp("phone", 1, "ff05::2", 2), drops(no_route) },
		  { FROM_TUNNEL, ping("phone", "ff02::1", 2), drops(no_route) },
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "ff02::1",
				       udp("ff02::1", 1, "phone", 2)),
		    drops(icmp_unrelated) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "fe80::1", 80), drops(no_route) },
		  { INTO_TUNNEL_OWN, udp("self", 5353, "ff02::fb", 5353),
		    passes(local_scope) },
	  } },
	{ .name = "neighbour_and_listener_discovery_are_the_stacks",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  /* RS, RA, NS, NA, redirect; then MLD */
		  { FROM_LAN, ip(IPPROTO_ICMP, "host", "lan", .icmp6 = { 133 }, .ttl = 255),
		    passes(local_scope) },
		  { FROM_LAN, ip(IPPROTO_ICMP, "router", "lan", .icmp6 = { 134 }, .ttl = 255),
		    passes(local_scope) },
		  { FROM_LAN, ip(IPPROTO_ICMP, "host", "self", .icmp6 = { 135 }, .ttl = 255),
		    passes(local_scope) },
		  { FROM_LAN, ip(IPPROTO_ICMP, "phone", "lan", .icmp6 = { 136 }, .ttl = 255),
		    passes(local_scope) },
		  { FROM_LAN, ip(IPPROTO_ICMP, "router", "host", .icmp6 = { 137 }, .ttl = 255),
		    passes(local_scope) },
		  { FROM_LAN, ip(IPPROTO_ICMP, "host", "ff02::16", .icmp6 = { 130 }),
		    passes(local_scope) },
		  { FROM_LAN, ip(IPPROTO_ICMP, "host", "ff02::16", .icmp6 = { 143 }),
		    passes(local_scope) },
	  } },
	{ .name = "a_discovery_type_alone_leads_nowhere",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  /* a router was in between, or nobody asked a group */
		  { FROM_LAN, ip(IPPROTO_ICMP, "host", "phone", .icmp6 = { 135 }),
		    drops(icmp_unrelated) },
		  { FROM_LAN, ip(IPPROTO_ICMP, "host", "phone", .icmp6 = { 143 }),
		    drops(icmp_unrelated) },
		  { FROM_TUNNEL, ip(IPPROTO_ICMP, "phone", "host", .icmp6 = { 143 }),
		    drops(icmp_unrelated) },
		  { FROM_TUNNEL, ip(IPPROTO_ICMP, "phone", "host", .icmp6 = { 135 }, .ttl = 255),
		    drops(icmp_unrelated) },
	  } },
	{ .name = "other_peoples_traffic_passes",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "elsewhere", 2), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "beyond", 2), passes(not_ours) },
		  { FROM_LAN, tcp(ACK, "host", 1, "lan", 22), passes(not_ours) },
		  { FROM_LAN, tcp(RST, "elsewhere", 1, "host", 2), passes(not_ours) },
		  { FROM_LAN, ip(47, "host", "elsewhere"), passes(not_ours) },
	  } },
	{ .name = "other_peoples_mistakes_are_not_our_business",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "elsewhere", 2, .cut = 4), passes(not_ours) },
		  { FROM_LAN, tcp(SYN, "host", 1, "beyond", 2, .cut = 10, .payload = ""),
		    passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "lan", 2, MALFORMED_HEADER), passes(not_ours) },
	  } },
	{ .name = "frames_for_others_pass",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN_AS_OTHER, udp("host", 1, "phone", 2), passes(other_host) },
		  { FROM_LAN_AS_OTHER, udp("phone", 1, "host", 2), passes(other_host) },
	  } },
};
ROWS(rows)

/* Nobody owns a link-local address in the tunnel, and no grant leads to one. */
static void check_link_local(enum family family, const char *src, const char *dst)
{
	const struct packet packet = udp(src, 1, dst, 2);
	struct ports none = {};
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	size_t size;

	rig_start(OPEN_ROUTED);
	size = row_frame(FROM_TUNNEL, &packet, family, &none, frame);
	rig_run(FROM_TUNNEL, frame, size, &run);
	CHECK_INT(run.retval, 2);
}

TEST(link_local_from_the_tunnel_is_refused)
{
	check_link_local(V4, "169.254.3.4", "host");
	check_link_local(V4, "phone", "169.254.169.254");
	check_link_local(V6, "fe80::2", "host");
	check_link_local(V6, "phone", "fe80::1");
}

/* A frame of some other EtherType is passed on whatever it holds. */
static void check_ether_type(enum hook hook, uint16_t type)
{
	const struct packet packet = udp("host", 1, "phone", 2);
	struct ports none = {};
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	size_t size;

	size = row_frame(hook, &packet, V4, &none, frame);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	rig_run(hook, frame, size, &run);
	CHECK_INT(run.retval, -1);
	CHECK_INT(run.reasons[TP_R_not_ip], 1);
	CHECK_BYTES(run.out, run.out_size, frame, size);
}

TEST(passes_what_is_not_ip)
{
	static const uint16_t types[] = { 0x0806, 0x88cc, 0x8100, 0x8847, 0x0026 };
	size_t i;

	rig_start(OPEN_ROUTED);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		check_ether_type(FROM_LAN, types[i]);
		check_ether_type(INTO_LAN_FROM_TUNNEL, types[i]);
	}
}
