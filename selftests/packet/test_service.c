// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets to a service's address: a backend instead, and back again. "host" and "host2" are the
 * backends, on lan0.
 */
#include "policies.h"
#include "rows.h"
#include "services.h"
#include "state.h"
#include "test.h"

#define ONE_PORT POLICY_LIMITS("\"snat_ports\": \"20000-20000\"")

#define BY_SOURCE POLICY(MASQUERADE, TO_SERVICE, SERVED_BY("source", HOSTS_V4, HOSTS_V6))

static const struct row rows[] = {
	{ .name = "a_client_sees_the_service_and_the_backend_sees_the_router",
	  .policy = SERVED_MASQ,
	  .steps = {
		  OPENED(.tos = 0xbb),
		  { FROM_LAN, udp("host", 5353, "lan", 20000, .tos = 0xbb),
		    tunnels(udp("vip", 53, "phone", 20000, .tos = 0xbb, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53, .payload = "odd"),
		    sends(LAN0, "host",
			  udp("lan", 20000, "host", 5353, .payload = "odd", .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "lan", 20000, .udp_unsummed = true),
		    tunnels(udp("vip", 53, "phone", 20000, .udp_unsummed = true, .ttl = 63)),
		    .flows = 1 },
		  /* the other backend has nothing to say */
		  { FROM_LAN, udp("host2", 5353, "lan", 20000), passes(not_ours), .flows = 1 },
	  } },
	{ .name = "without_snat_the_backend_sees_the_client",
	  .policy = SERVED_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53),
		    resolves(LAN0, udp("phone", 5000, "host", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "phone", 5000),
		    tunnels(udp("vip", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53),
		    sends(LAN0, "host", udp("phone", 5000, "host", 5353, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "a_connection_keeps_its_backend",
	  .policy = SERVED_MASQ,
	  .steps = {
		  ESTABLISHED,
		  { FROM_LAN, tcp(ACK, "host", 80, "lan", 20000),
		    tunnels(tcp(ACK, "vip", 80, "phone", 20000, .ttl = 63)), .flows = 1 },
		  /* TCP has no other port here, and begins with SYN */
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "vip", 53), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 20001, "vip", 80),
		    resets(TUNNEL0, RST, "phone", 20001), .flows = 1 },
	  } },
	{ .name = "a_lan_host_is_served_too",
	  .policy = SERVED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host2", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "lan", 20000),
		    resolves(LAN0, udp("vip", 53, "host2", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "lan", 20000),
		    sends(LAN0, "host2", udp("vip", 53, "host2", 20000, .ttl = 63)), .flows = 1 },
	  } },
	/* which one is for the hash to say */
	{ .name = "by_source_a_client_always_has_the_same_backend",
	  .policy = BY_SOURCE,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20001, "vip", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20001, "host", 80, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("remote", 20002, "vip", 53),
		    resolves(LAN0, udp("lan", 20002, "host2", 5353, .ttl = 63)), .flows = 3 },
		  { FROM_TUNNEL, tcp(SYN, "remote", 20003, "vip", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20003, "host2", 80, .ttl = 63)), .flows = 4 },
	  } },
	{ .name = "mss_is_clamped_on_the_way_to_a_service_and_back",
	  .policy = SERVED_MASQ,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL,
		    tcp(SYN, "phone", 20000, "vip", 80, TCP_OPTIONS("\2\4\x05\xb4")),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63,
				       TCP_OPTIONS("\2\4\x05\x64"))), /* 1380 */
		    .flows = 1 },
		  { FROM_LAN,
		    tcp(SYN | ACK, "host", 80, "lan", 20000, TCP_OPTIONS("\2\4\x05\xb4")),
		    tunnels(tcp(SYN | ACK, "vip", 80, "phone", 20000, .ttl = 63,
				TCP_OPTIONS("\2\4\x05\x64"))),
		    .flows = 1 },
	  } },
	{ .name = "mss_is_clamped_on_the_way_to_a_service_and_back",
	  .policy = SERVED_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL,
		    tcp(SYN, "phone", 20000, "vip", 80, TCP_OPTIONS("\2\4\x05\xb4")),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63,
				       TCP_OPTIONS("\2\4\x05\x50"))), /* 1360 */
		    .flows = 1 },
		  { FROM_LAN,
		    tcp(SYN | ACK, "host", 80, "lan", 20000, TCP_OPTIONS("\2\4\x05\xb4")),
		    tunnels(tcp(SYN | ACK, "vip", 80, "phone", 20000, .ttl = 63,
				TCP_OPTIONS("\2\4\x05\x50"))),
		    .flows = 1 },
	  } },
	{ .name = "one_port_reaches_a_backend_by_both_of_its_names",
	  .policy = POLICY(MASQUERADE, GRANT_ALL ", " TO_SERVICE, BY_HOSTS TWO_PORTS),
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 5353),
		    resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 5353, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, udp("host", 5353, "lan", 20000),
		    tunnels(udp("host", 5353, "phone", 20000, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, udp("host", 5353, "lan", 20001),
		    tunnels(udp("vip", 53, "phone", 20000, .ttl = 63)), .flows = 2 },
	  } },
	/* without SNAT as well: the second of them leaves by another port */
	{ .name = "one_port_reaches_a_backend_by_both_of_its_names_without_snat",
	  .policy = POLICY(NO_SNAT, GRANT_ALL ", " TO_SERVICE, BY_HOSTS ONE_PORT),
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 5353),
		    resolves(LAN0, udp("phone", 5000, "host", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53),
		    resolves(LAN0, udp("phone", 20000, "host", 5353, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, udp("host", 5353, "phone", 20000),
		    tunnels(udp("vip", 53, "phone", 5000, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, udp("host", 5353, "phone", 5000),
		    tunnels(udp("host", 5353, "phone", 5000, .ttl = 63)), .flows = 2 },
	  } },
};
ROWS(rows)
