// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of packets to services besides: backends elsewhere than on an advertised LAN, the
 * stack's help, errors, fragments.
 */
#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "services.h"
#include "state.h"
#include "test.h"

#define OPENED_ROUTED                                                                            \
	{                                                                                        \
		FROM_TUNNEL, udp("phone", 20000, "vip", 53),                                     \
			resolves(LAN0, udp("phone", 20000, "host", 5353, .ttl = 63)), .flows = 1 \
	}
#define ASKED_BY_PHONE   udp("phone", 20000, "vip", 53)
#define ASKED_BY_LAN     udp("lan", 20000, "host", 5353, .ttl = 63)
#define ANSWERED_BY_HOST udp("host", 5353, "lan", 20000)
#define ANSWERED_BY_VIP  udp("vip", 53, "phone", 20000, .ttl = 63)
#define LARGE            .payload_size = 1440 /* fits a LAN, not the tunnel */
#define SERVED(v4, v6)   POLICY(MASQUERADE, TO_SERVICE, SERVED_BY("failover", v4, v6))

/* Behind another node; a member; behind the LAN, but advertised by nobody. */
#define BY_REMOTE    SERVED("\"10.9.0.5\"", "\"fd0a:9::5\"")
#define BY_TABLET    SERVED("\"100.64.0.3\"", "\"fd7a::3\"")
#define BY_ELSEWHERE SERVED("\"198.18.0.1\"", "\"2001:db8:ff::1\"")
#define BY_BEYOND    SERVED("\"198.51.100.7\"", "\"2001:db8:31::7\"")
#define BY_EXPIRED   SERVED("\"100.64.0.4\"", "\"fd7a::4\"")

static void lead_elsewhere(void)
{
	world_ip("route add 198.18.0.0/24 via 192.0.2.254");
	world_ip("route add 2001:db8:ff::/64 via 2001:db8:30::fe");
}

static void lead_nowhere(void)
{
	world_ip("route del 198.18.0.0/24");
	world_ip("route del 2001:db8:ff::/64");
}

static const struct row backends[] = {
	{ .name = "a_backend_behind_another_node_answers_to_this_one",
	  .policy = BY_REMOTE,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    tunnels(udp("self", 20000, "remote", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("remote", 5353, "self", 20000),
		    tunnels(udp("vip", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    tunnels(udp("self", 20000, "remote", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, error(UNREACHABLE, "remote", "self",
				       udp("self", 20000, "remote", 5353, .ttl = 63)),
		    tunnels(error(UNREACHABLE, "vip", "phone",
				  udp("phone", 20000, "vip", 53, .ttl = 63), .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "a_lan_host_is_led_to_a_backend_behind_another_node",
	  .policy = BY_REMOTE,
	  .steps = {
		  { FROM_LAN, udp("host2", 20000, "vip", 53),
		    tunnels(udp("self", 20000, "remote", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("remote", 5353, "self", 20000),
		    resolves(LAN0, udp("vip", 53, "host2", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host2", 20000, "vip", 53),
		    tunnels(udp("self", 20000, "remote", 5353, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "a_member_may_be_a_backend",
	  .policy = BY_TABLET,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "vip", 80),
		    tunnels(tcp(SYN, "self", 20000, "tablet", 80, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, tcp(SYN | ACK, "tablet", 80, "self", 20000),
		    tunnels(tcp(SYN | ACK, "vip", 80, "phone", 20000, .ttl = 63)), .flows = 1 },
		  /* it asks itself, by way of the router */
		  { FROM_TUNNEL, tcp(SYN, "tablet", 20001, "vip", 80),
		    tunnels(tcp(SYN, "self", 20001, "tablet", 80, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, tcp(SYN | ACK, "tablet", 80, "self", 20001),
		    tunnels(tcp(SYN | ACK, "vip", 80, "tablet", 20001, .ttl = 63)),
		    .flows = 2 },
	  } },
	{ .name = "a_backend_in_no_route_is_where_the_kernel_leads",
	  .policy = BY_ELSEWHERE,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "elsewhere", 5353, .ttl = 63)), .flows = 1,
		    .before = lead_elsewhere },
		  { FROM_LAN, udp("elsewhere", 5353, "lan", 20000),
		    tunnels(udp("vip", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    sends(LAN0, "router", udp("lan", 20000, "elsewhere", 5353, .ttl = 63)),
		    .flows = 1 },
		  /* it is an address as any other, which no grant names */
		  { FROM_TUNNEL, udp("phone", 20000, "elsewhere", 5353), drops(no_route),
		    .flows = 1 },
	  },
	  .after = lead_nowhere },
	{ .name = "what_the_kernel_leads_nowhere_is_not_given_to_the_stack",
	  .policy = BY_ELSEWHERE,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53), drops(no_route), .flows = 0 },
		  { FROM_LAN, udp("host", 20000, "vip", 53), drops(no_route), .flows = 0 },
	  } },
	{ .name = "an_expired_member_is_no_backend",
	  .policy = BY_EXPIRED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53), drops(peer_expired),
		    .flows = 0 },
	  } },
};
ROWS(backends)

static const struct row errors[] = {
	{ .name = "an_error_about_a_question_is_from_the_service",
	  .policy = SERVED_MASQ,
	  .steps = {
		  OPENED(),
		  { FROM_LAN, error(UNREACHABLE, "host", "lan", ASKED_BY_LAN),
		    tunnels(error(UNREACHABLE, "vip", "phone",
				  udp("phone", 20000, "vip", 53, .ttl = 63), .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN,
		    error(TOO_BIG(1300), "router", "lan", ASKED_BY_LAN, .quote_l4 = 8),
		    tunnels(error(TOO_BIG(1300), "vip", "phone",
				  udp("phone", 20000, "vip", 53, .ttl = 63), .quote_l4 = 8,
				  .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host2", "lan",
				    udp("lan", 20000, "host2", 5353, .ttl = 63)),
		    passes(not_ours), .flows = 1 },
	  } },
	{ .name = "an_error_about_an_answer_is_from_the_client",
	  .policy = SERVED_MASQ,
	  .steps = {
		  OPENED(),
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "vip", ANSWERED_BY_VIP),
		    sends(LAN0, "host",
			  error(UNREACHABLE, "lan", "host",
				udp("host", 5353, "lan", 20000, .ttl = 63), .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "vip", udp("vip", 53, "phone", 20001)),
		    drops(icmp_unrelated), .flows = 1 },
	  } },
	{ .name = "errors_are_translated_without_snat_too",
	  .policy = SERVED_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN, error(UNREACHABLE, "host", "phone",
				    udp("phone", 20000, "host", 5353, .ttl = 63)),
		    tunnels(error(UNREACHABLE, "vip", "phone",
				  udp("phone", 20000, "vip", 53, .ttl = 63), .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "vip", ANSWERED_BY_VIP),
		    sends(LAN0, "host",
			  error(UNREACHABLE, "phone", "host",
				udp("host", 5353, "phone", 20000, .ttl = 63), .ttl = 63)),
		    .flows = 1 },
	  } },
	/* "rewrite": as far as a test run goes without a link header, see test_nat_hairpin.c */
	{ .name = "what_goes_no_further_is_answered_for_the_service",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53, .ttl = 1), drops(rewrite),
		    .flows = 0 },
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53, .ttl = TTL_ZERO),
		    drops(malformed), .flows = 0 },
		  OPENED(),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53, .ttl = 1), drops(rewrite),
		    .flows = 1 },
	  } },
	{ .name = "a_lan_hosts_last_hop_is_answered_for_the_service",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host2", 20000, "vip", 53, .ttl = 1),
		    answers({ .proto = IPPROTO_ICMP, TIME_EXCEEDED, .src = "vip", .dst = "host2",
			      .quote = &(const struct packet)udp("host2", 20000, "vip", 53,
								 .ttl = 1),
			      .quote_fits = true, .tos = 0xc0, .frag = DF, .no_id = true }),
		    .flows = 0 },
	  } },
};
ROWS(errors)

static void both_native(void)
{
	rig_note_native(true, true);
}

static void none_native(void)
{
	rig_note_native(false, false);
}

static const struct row wires[] = {
	{ .name = "xdp_carries_a_flow_to_a_service_once_it_is_known",
	  .policy = BY_BEYOND,
	  .steps = {
		  { FROM_WIRE, udp("host", 20000, "vip", 53), passes(none), .flows = 0,
		    .before = both_native },
		  { FROM_LAN, udp("host", 20000, "vip", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 5353, "lan1", 20000),
		    resolves(LAN0, udp("vip", 53, "host", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE, udp("host", 20000, "vip", 53, .payload = "odd"),
		    sends(LAN1, "beyond",
			  udp("lan1", 20000, "beyond", 5353, .payload = "odd", .ttl = 63)),
		    .flows = 1 },
		  { FROM_WIRE1, udp("beyond", 5353, "lan1", 20000),
		    sends(LAN0, "host", udp("vip", 53, "host", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE, udp("vip", 53, "phone", 20000), drops(spoof), .flows = 1 },
	  },
	  .after = none_native },
};
ROWS(wires)

static const struct row stack[] = {
	{ .name = "an_answer_that_must_be_cut_up_is_the_services_by_then",
	  .policy = SERVED_MASQ,
	  .only = V4,
	  .steps = {
		  OPENED(),
		  { FROM_LAN, udp("host", 5353, "lan", 20000, LARGE),
		    passes_as(too_big, udp("vip", 53, "phone", 20000, LARGE)), .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN, udp("vip", 53, "phone", 20000, FIRST, .ttl = 63),
		    passes(judged), .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN, udp("vip", 53, "phone", 20000, LAST, .ttl = 63),
		    passes(judged), .flows = 1 },
	  } },
	{ .name = "an_answer_that_must_be_cut_up_is_the_services_without_snat_too",
	  .policy = SERVED_ROUTED,
	  .only = V4,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN, udp("host", 5353, "phone", 20000, LARGE),
		    passes_as(too_big, udp("vip", 53, "phone", 20000, LARGE)), .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "phone", 20000, V4_OPTIONS("\1\1\1\0")),
		    passes_as(ip_options,
			      udp("vip", 53, "phone", 20000, V4_OPTIONS("\1\1\1\0"))),
		    .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN,
		    udp("vip", 53, "phone", 20000, V4_OPTIONS("\1\1\1\0"), .ttl = 63),
		    passes(judged), .flows = 1 },
	  } },
	{ .name = "options_get_no_service",
	  .policy = SERVED_MASQ,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 0 },
		  OPENED(),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 1 },
	  } },
	{ .name = "fragments_follow_their_first_to_the_backend_and_back",
	  .policy = SERVED_MASQ,
	  .steps = {
		  OPENED(FIRST),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53, LAST),
		    sends(LAN0, "host", udp("lan", 20000, "host", 5353, .ttl = 63, LAST)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "lan", 20000, FIRST),
		    tunnels(udp("vip", 53, "phone", 20000, .ttl = 63, FIRST)), .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "lan", 20000, LAST),
		    tunnels(udp("vip", 53, "phone", 20000, .ttl = 63, LAST)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20001, "vip", 53, LAST, .id = 7),
		    drops(frag_unknown), .flows = 1 },
	  } },
	{ .name = "a_super_packet_goes_to_the_backend_whole",
	  .policy = SERVED_MASQ,
	  .steps = {
		  OPENED(),
		  { FROM_LAN, udp("host", 5353, "lan", 20000, LARGE, .frag = DF),
		    tunnels(udp("vip", 53, "phone", 20000, LARGE, .frag = DF, .ttl = 63)),
		    .flows = 1, .gso_size = 700 },
	  } },
};
ROWS(stack)
