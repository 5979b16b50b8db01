// SPDX-License-Identifier: GPL-2.0-only
/* Plain routing between the tunnel and the LAN: bytes, next hop, TTL, sizes. */
#include "policies.h"
#include "rows.h"

#define MTU_TUNNEL 1420
#define MTU_TABLET 1300 /* of the peer, in the policy */
#define MTU_LAN    1500

/* Payloads of UDP packets that just fit; the headers are larger in IPv6. */
#define TIMESTAMP          TCP_OPTIONS("\1\1\x8\xa\0\0\0\1\0\0\0\0")
#define FITS(mtu, headers) .payload_size = (mtu) - (headers)

static void forwarding_off(void)
{
	world_sysctl(row_family() == V4 ? "net/ipv4/conf/tp0/forwarding"
					: "net/ipv6/conf/tp0/forwarding",
		     0);
}

static void forwarding_on(void)
{
	world_sysctl("net/ipv4/conf/tp0/forwarding", 1);
	world_sysctl("net/ipv6/conf/tp0/forwarding", 1);
}

static void route_by_v6_gateway(void)
{
	world_ip("route replace 203.0.113.0/24 via inet6 2001:db8:30::fe dev lan0");
}

static void route_by_v4_gateway(void)
{
	world_ip("route replace 203.0.113.0/24 via 192.0.2.254");
}

static const struct row rows[] = {
	{ .name = "sends_to_a_known_neighbour",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .payload = "more"),
		    sends(LAN0, "host",
			  udp("phone", 5000, "host", 53, .ttl = 63, .payload = "more")),
		    .flows = 1 },
	  } },
	{ .name = "leaves_an_unknown_neighbour_to_the_kernel",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    resolves(LAN0, udp("phone", 5000, "ghost", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 53),
		    resolves(LAN0, udp("phone", 5000, "ghost", 53, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "sends_through_a_gateway",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "far", 53),
		    resolves(LAN0, udp("phone", 5000, "far", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "far", 53),
		    sends(LAN0, "router", udp("phone", 5000, "far", 53, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "sends_through_a_gateway_of_the_other_family",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "far", 53),
		    resolves(LAN0, udp("phone", 5000, "far", 53, .ttl = 63)), .flows = 1,
		    .before = route_by_v6_gateway },
		  { FROM_TUNNEL, udp("phone", 5000, "far", 53),
		    sends(LAN0, "router", udp("phone", 5000, "far", 53, .ttl = 63)),
		    .flows = 1 },
	  },
	  .after = route_by_v4_gateway },
	{ .name = "chooses_among_lan_devices",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "beyond", 53),
		    resolves(LAN1, udp("phone", 5000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "beyond", 53),
		    sends(LAN1, "beyond", udp("phone", 5000, "beyond", 53, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "phone", 5000),
		    tunnels(udp("beyond", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "answers_go_back_into_the_tunnel",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "phone", 5000, .frag = DF, .payload = "answer"),
		    tunnels(udp("host", 53, "phone", 5000, .frag = DF, .payload = "answer",
				.ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "opens_from_the_lan",
	  .policy = POLICY(NO_SNAT, GRANT("192.0.2.0/24", "phone", "udp:7")
			   ", " GRANT("2001:db8:30::/64", "phone", "udp:7"), ""),
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "phone", 7),
		    tunnels(udp("host", 5000, "phone", 7, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 7, "host", 5000),
		    resolves(LAN0, udp("phone", 7, "host", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 7, "host", 5000),
		    sends(LAN0, "host", udp("phone", 7, "host", 5000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "forwards_between_members",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "tablet", 53),
		    tunnels(udp("phone", 5000, "tablet", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 53, "phone", 5000),
		    tunnels(udp("tablet", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "forwards_to_what_another_node_advertises",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "remote", 53),
		    tunnels(udp("phone", 5000, "remote", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("remote", 53, "phone", 5000),
		    tunnels(udp("remote", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "leaves_used_up_ttl_to_the_stack",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .ttl = 1),
		    passes(ttl_exceeded) },
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .ttl = 2),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 1)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .ttl = 1),
		    passes(ttl_exceeded), .flows = 1 },
	  } },
	{ .name = "drops_ttl_zero",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .ttl = TTL_ZERO),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .ttl = TTL_ZERO),
		    drops(malformed), .flows = 1 },
	  } },
	{ .name = "delivers_to_the_mesh_address",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "self", 53), passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "self", 53, .ttl = 1), passes(deliver),
		    .flows = 1 },
	  } },
	{ .name = "delivers_to_the_lan_address",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "lan", 22), passes(deliver),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "lan", 22), passes(deliver),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "lan1", 53), passes(deliver), .flows = 2 },
	  } },
	{ .name = "lan_hosts_reach_the_mesh_address_when_allowed",
	  .policy = POLICY(NO_SNAT, GRANT("192.0.2.0/24", "gw", "tcp:22")
			   ", " GRANT("2001:db8:30::/64", "gw", "tcp:22"), ""),
	  .steps = {
		  { FROM_LAN, tcp(SYN, "host", 5000, "self", 22), passes(deliver), .flows = 1 },
		  { FROM_LAN, tcp(SYN, "host", 5000, "self", 23), drops(acl), .flows = 1 },
	  } },
	{ .name = "drops_what_no_route_of_the_policy_covers",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "elsewhere", 53), drops(no_route) },
	  } },
	{ .name = "drops_what_would_leave_by_a_foreign_device",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "away", 53), drops(no_route) },
	  } },
	{ .name = "drops_into_a_blackhole",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "hole", 53), drops(blackhole) },
	  } },
	{ .name = "leaves_unreachable_routes_to_the_stack",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "unreachable", 53), passes(stack_route) },
		  { FROM_TUNNEL, udp("phone", 5000, "prohibited", 53), passes(stack_route) },
	  } },
	/* RFC 4291 2.6.1: every router of the prefix has it */
	{ .name = "leaves_the_routers_anycast_address_to_the_stack",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "2001:db8:30::", 9), passes(stack_route) },
	  } },
	{ .name = "does_not_forward_where_the_administrator_forbids_it",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53), passes(stack_route),
		    .before = forwarding_off },
	  },
	  .after = forwarding_on },
	{ .name = "keeps_the_traffic_class",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53, .tos = 0xbb),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .tos = 0xbb, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "phone", 5000, .tos = 0xbb),
		    tunnels(udp("host", 53, "phone", 5000, .tos = 0xbb, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "leaves_what_is_too_big_for_the_tunnel_to_the_stack",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "phone", 2, .frag = DF, FITS(MTU_TUNNEL + 1, 28)),
		    passes(too_big) },
		  { FROM_LAN, udp("host", 1, "phone", 2, .frag = DF, FITS(MTU_TUNNEL, 28)),
		    tunnels(udp("host", 1, "phone", 2, .frag = DF, FITS(MTU_TUNNEL, 28),
				.ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 1, "phone", 2, .frag = DF, FITS(MTU_TUNNEL + 1, 28)),
		    passes(too_big), .flows = 1 },
	  } },
	{ .name = "leaves_what_is_too_big_for_the_tunnel_to_the_stack",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "phone", 2, FITS(MTU_TUNNEL + 1, 48)),
		    passes(too_big) },
		  { FROM_LAN, udp("host", 1, "phone", 2, FITS(MTU_TUNNEL, 48)),
		    tunnels(udp("host", 1, "phone", 2, FITS(MTU_TUNNEL, 48), .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 1, "phone", 2, FITS(MTU_TUNNEL + 1, 48)),
		    passes(too_big), .flows = 1 },
	  } },
	{ .name = "heeds_the_smaller_mtu_of_a_peer",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "tablet", 2, FITS(MTU_TABLET + 1, 28)),
		    passes(too_big), .flows = 1 },
		  { FROM_LAN, udp("host", 1, "tablet", 2, FITS(MTU_TABLET, 28)),
		    tunnels(udp("host", 1, "tablet", 2, FITS(MTU_TABLET, 28), .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "heeds_the_smaller_mtu_of_a_peer",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "tablet", 2, FITS(MTU_TABLET + 1, 48)),
		    passes(too_big) },
		  { FROM_LAN, udp("host", 1, "tablet", 2, FITS(MTU_TABLET, 48)),
		    tunnels(udp("host", 1, "tablet", 2, FITS(MTU_TABLET, 48), .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "leaves_what_is_too_big_for_the_lan_to_the_stack",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, FITS(MTU_LAN + 1, 28)),
		    passes(too_big), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, FITS(MTU_LAN + 200, 28)),
		    passes(too_big), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, FITS(MTU_LAN, 28)),
		    sends(LAN0, "host",
			  udp("phone", 1, "host", 2, FITS(MTU_LAN, 28), .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, FITS(MTU_LAN + 1, 28)),
		    passes(too_big), .flows = 1 },
	  } },
	{ .name = "leaves_what_is_too_big_for_the_lan_to_the_stack",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, FITS(MTU_LAN + 1, 48)),
		    passes(too_big) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, FITS(MTU_LAN, 48)),
		    resolves(LAN0, udp("phone", 1, "host", 2, FITS(MTU_LAN, 48), .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, FITS(MTU_LAN + 1, 48)),
		    passes(too_big), .flows = 1 },
	  } },
	{ .name = "forwards_a_gso_packet_larger_than_the_mtu",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, tcp(SYN, "host", 1, "phone", 2),
		    tunnels(tcp(SYN, "host", 1, "phone", 2, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, tcp(ACK, "host", 1, "phone", 2, .payload_size = 1900),
		    tunnels(tcp(ACK, "host", 1, "phone", 2, .payload_size = 1900, .ttl = 63)),
		    .flows = 1, .gso_size = 1000 },
	  } },
	{ .name = "measures_a_gso_packet_for_the_tunnel_by_its_segments",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "phone", 2, .payload_size = 1900),
		    passes(too_big), .flows = 1, .gso_size = MTU_TUNNEL - 28 + 1 },
		  { FROM_LAN, udp("host", 1, "phone", 2, .payload_size = 1900),
		    tunnels(udp("host", 1, "phone", 2, .payload_size = 1900, .ttl = 63)),
		    .flows = 1, .gso_size = MTU_TUNNEL - 28 },
		  { FROM_LAN, udp("host", 1, "phone", 2, .payload_size = 1900),
		    passes(too_big), .flows = 1, .gso_size = MTU_TUNNEL - 28 + 1 },
		  { FROM_LAN, udp("host", 1, "tablet", 2, .payload_size = 1900),
		    passes(too_big), .flows = 2, .gso_size = MTU_TABLET - 28 + 1 },
	  } },
	{ .name = "measures_a_gso_packet_for_the_tunnel_by_its_segments",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "phone", 2, .payload_size = 1900),
		    passes(too_big), .gso_size = MTU_TUNNEL - 48 + 1 },
		  { FROM_LAN, udp("host", 1, "phone", 2, .payload_size = 1900),
		    tunnels(udp("host", 1, "phone", 2, .payload_size = 1900, .ttl = 63)),
		    .flows = 1, .gso_size = MTU_TUNNEL - 48 },
		  { FROM_LAN, udp("host", 1, "phone", 2, .payload_size = 1900),
		    passes(too_big), .flows = 1, .gso_size = MTU_TUNNEL - 48 + 1 },
		  { FROM_LAN, udp("host", 1, "tablet", 2, .payload_size = 1900),
		    passes(too_big), .flows = 1, .gso_size = MTU_TABLET - 48 + 1 },
	  } },
	{ .name = "counts_the_options_of_every_segment",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 2),
		    resolves(LAN0, tcp(SYN, "phone", 1, "host", 2, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL,
		    tcp(ACK, "phone", 1, "host", 2, TIMESTAMP, .payload_size = 1900),
		    passes(too_big), .flows = 1, .gso_size = MTU_LAN - 52 + 1 },
		  { FROM_TUNNEL,
		    tcp(ACK, "phone", 1, "host", 2, TIMESTAMP, .payload_size = 1900),
		    sends(LAN0, "host",
			  tcp(ACK, "phone", 1, "host", 2, TIMESTAMP, .payload_size = 1900,
			      .ttl = 63)),
		    .flows = 1, .gso_size = MTU_LAN - 52 },
	  } },
	{ .name = "counts_the_options_of_every_segment",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 2),
		    resolves(LAN0, tcp(SYN, "phone", 1, "host", 2, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL,
		    tcp(ACK, "phone", 1, "host", 2, TIMESTAMP, .payload_size = 1900),
		    passes(too_big), .flows = 1, .gso_size = MTU_LAN - 72 + 1 },
		  { FROM_TUNNEL,
		    tcp(ACK, "phone", 1, "host", 2, TIMESTAMP, .payload_size = 1900),
		    sends(LAN0, "host",
			  tcp(ACK, "phone", 1, "host", 2, TIMESTAMP, .payload_size = 1900,
			      .ttl = 63)),
		    .flows = 1, .gso_size = MTU_LAN - 72 },
	  } },
	{ .name = "link_padding_is_no_part_of_the_packet",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "phone", 2, .trailer = 18),
		    tunnels(udp("host", 1, "phone", 2, .trailer = 18, .ttl = 63)),
		    .flows = 1 },
	  } },
};
ROWS(rows)
