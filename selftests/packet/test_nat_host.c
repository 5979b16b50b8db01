// SPDX-License-Identifier: GPL-2.0-only
/* SNAT and this machine's own sockets: neither takes the other's ports. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "places.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define TWO_PORTS POLICY(MASQUERADE, GRANT_ALL, POLICY_LIMITS("\"snat_ports\": \"20000-20001\""))

/* ---- sockets that rows open --------------------------------------------------------------- */

static int sockets[2] = { -1, -1 };

static void die(const char *what)
{
	fprintf(stderr, "packet tier: %s: %s\n", what, strerror(errno));
	exit(2);
}

static socklen_t put_sockaddr(struct sockaddr_storage *out, const char *place, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (row_family() == V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		if (place)
			places_put_addr(place, V4, (uint8_t *)&v4->sin_addr);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	if (place)
		places_put_addr(place, V6, (uint8_t *)&v6->sin6_addr);
	return sizeof(*v6);
}

/* place NULL: the wildcard address. */
static int open_socket(int type, const char *place, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t size = put_sockaddr(&addr, place, port);
	int *fd = sockets[0] < 0 ? &sockets[0] : &sockets[1];

	*fd = socket(addr.ss_family, type | SOCK_CLOEXEC, 0);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&addr, size))
		die("bind a socket");
	return *fd;
}

static void connect_to(int fd, const char *place, uint16_t port)
{
	struct sockaddr_storage addr;
	socklen_t size = put_sockaddr(&addr, place, port);

	if (connect(fd, (struct sockaddr *)&addr, size))
		die("connect a socket");
}

static void close_sockets(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (sockets[i] >= 0)
			close(sockets[i]);
		sockets[i] = -1;
	}
}

static void udp_on_lan(void)
{
	open_socket(SOCK_DGRAM, "lan", 20000);
}

static void udp_on_wildcard(void)
{
	open_socket(SOCK_DGRAM, NULL, 20000);
}

static void udp_on_both_ports(void)
{
	udp_on_lan();
	open_socket(SOCK_DGRAM, "lan", 20001);
}

static void udp_to_host(void)
{
	connect_to(open_socket(SOCK_DGRAM, "lan", 20000), "host", 53);
}

static void udp_on_another_address(void)
{
	open_socket(SOCK_DGRAM, "lan1", 20000);
}

static void tcp_listens(void)
{
	if (listen(open_socket(SOCK_STREAM, "lan", 20000), 1))
		die("listen");
}

static void tcp_listens_on_wildcard(void)
{
	if (listen(open_socket(SOCK_STREAM, NULL, 20000), 1))
		die("listen");
}

#define PHONE_IS_MAPPED                                                                      \
	{                                                                                    \
		FROM_TUNNEL, udp("phone", 20000, "host", 53),                                \
			resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 \
	}

static const struct row avoiding[] = {
	{ .name = "avoids_the_port_of_a_udp_socket",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 1,
		    .before = udp_on_lan },
		  { FROM_LAN, udp("host", 53, "lan", 20000), passes(not_ours), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20001),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
	  },
	  .after = close_sockets },
	{ .name = "avoids_the_port_of_a_wildcard_udp_socket",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 1,
		    .before = udp_on_wildcard },
	  },
	  .after = close_sockets },
	{ .name = "avoids_the_port_of_a_socket_that_talks_to_the_same_place",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 1,
		    .before = udp_to_host },
		  /* answers from elsewhere never were for that socket */
		  { FROM_TUNNEL, udp("tablet", 20000, "host2", 53),
		    resolves(LAN0, udp("lan", 20000, "host2", 53, .ttl = 63)), .flows = 2 },
	  },
	  .after = close_sockets },
	{ .name = "avoids_the_port_of_a_listening_tcp_socket",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20001, "host", 80, .ttl = 63)), .flows = 1,
		    .before = tcp_listens },
		  { FROM_LAN, tcp(SYN, "host", 80, "lan", 20000), passes(not_ours), .flows = 1 },
	  },
	  .after = close_sockets },
	{ .name = "avoids_the_port_of_a_tcp_socket_that_listens_everywhere",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20001, "host", 80, .ttl = 63)), .flows = 1,
		    .before = tcp_listens_on_wildcard },
	  },
	  .after = close_sockets },
	{ .name = "a_socket_of_another_protocol_or_address_does_not_mind",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1,
		    .before = tcp_listens },
		  { FROM_TUNNEL, udp("tablet", 20001, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 2,
		    .before = udp_on_another_address },
		  { FROM_TUNNEL, ping("phone", "host", 20000),
		    resolves(LAN0, ping("lan", "host", 20000, .ttl = 63)), .flows = 3 },
	  },
	  .after = close_sockets },
	{ .name = "refuses_when_sockets_have_all_ports",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53), drops(nat_full),
		    .before = udp_on_both_ports },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1,
		    .before = close_sockets },
	  },
	  .after = close_sockets },
	{ .name = "a_socket_that_comes_later_does_not_move_a_mapping",
	  .policy = TWO_PORTS,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
		    resolves(LAN0, udp("lan", 20000, "host2", 53, .ttl = 63)), .flows = 2,
		    .before = udp_on_lan },
	  },
	  .after = close_sockets },
	{ .name = "a_hairpin_avoids_sockets_too",
	  .policy = TWO_PORTS,
	  .steps = {
		  { FROM_TUNNEL, udp("tablet", 20001, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "lan", 20001), drops(nat_full), .flows = 1,
		    .before = udp_on_lan },
	  },
	  .after = close_sockets },
};
ROWS(avoiding)

/* ---- this machine sends from a port that is mapped ----------------------------------------- */

static const struct row retiring[] = {
	{ .name = "what_this_machine_sends_from_a_mapped_port_retires_the_mapping",
	  .policy = TWO_PORTS,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 9), passes(nat_port_lost),
		    .flows = 1 },
		  /* its flows end when they are looked at, and go on from another port */
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 1,
		    .before = state_make_stale },
		  { FROM_LAN, udp("host", 53, "lan", 20000), passes(not_ours), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20001),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "new_flows_of_a_retired_mapping_get_another_port",
	  .policy = TWO_PORTS,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 9), passes(nat_port_lost),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
		    resolves(LAN0, udp("lan", 20001, "host2", 53, .ttl = 63)), .flows = 2 },
		  /* and nobody gets the old one while a flow is left on it */
		  { FROM_TUNNEL, udp("tablet", 20000, "host2", 53), drops(nat_full),
		    .flows = 2 },
	  } },
	{ .name = "a_mapping_is_retired_and_counted_once",
	  .policy = OPEN_MASQ,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 9), passes(nat_port_lost),
		    .flows = 1 },
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 9), passes(not_ours), .flows = 1 },
	  } },
	{ .name = "a_flow_between_the_same_ends_is_closed_at_once",
	  .policy = OPEN_MASQ,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
		    resolves(LAN0, udp("lan", 20000, "host2", 53, .ttl = 63)), .flows = 2 },
		  { INTO_LAN_OWN, udp("lan", 20000, "host", 53), passes(nat_port_lost),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000), passes(not_ours), .flows = 1 },
		  /* long after the mapping was retired */
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 53), passes(not_ours),
		    .flows = 0 },
		  { FROM_LAN, udp("host2", 53, "lan", 20000), passes(not_ours), .flows = 0 },
	  } },
	{ .name = "another_nat_of_this_machine_retires_a_mapping",
	  .policy = OPEN_MASQ,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_FROM_OTHER, udp("lan", 20000, "host2", 9), passes(nat_port_lost),
		    .flows = 1 },
	  } },
	{ .name = "a_tcp_flow_of_a_retired_mapping_ends",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)),
		    .flows = 1 },
		  { INTO_LAN_OWN, tcp(SYN, "lan", 20000, "host2", 80), passes(nat_port_lost),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 80), drops(invalid),
		    .flows = 0, .before = state_make_stale },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", PORT_A, "host", 80, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "our_own_packets_do_not_retire_a_mapping",
	  .policy = OPEN_MASQ,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_FROM_TUNNEL, udp("lan", 20000, "host", 53, .ttl = 63),
		    passes(judged), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
		    resolves(LAN0, udp("lan", 20000, "host2", 53, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "what_this_machine_sends_otherwise_retires_nothing",
	  .policy = OPEN_MASQ,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_OWN, udp("lan", 20001, "host", 53), passes(not_ours), .flows = 1 },
		  { INTO_LAN_OWN, udp("lan", 53, "host", 53), passes(not_ours), .flows = 1 },
		  { INTO_LAN_OWN, udp("snat", 20000, "host", 53), passes(not_ours),
		    .flows = 1 },
		  { INTO_LAN_OWN, tcp(SYN, "lan", 20000, "host", 53), passes(not_ours),
		    .flows = 1 },
		  { INTO_LAN_OWN, ping("lan", "host", 20000), passes(not_ours), .flows = 1 },
		  { INTO_LAN_OWN, ip(47, "lan", "host"), passes(not_ours), .flows = 1 },
		  { INTO_LAN_OWN, udp("host", 53, "lan", 20000), passes(not_ours), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
		    resolves(LAN0, udp("lan", 20000, "host2", 53, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "the_stack_refusing_a_stranger_retires_nothing",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN, "host2", 5000, "lan", 20000), passes(not_ours),
		    .flows = 1 },
		  { INTO_LAN_OWN, tcp(RST | ACK, "lan", 20000, "host2", 5000), passes(not_ours),
		    .flows = 1 },
		  { FROM_LAN, tcp(ACK, "host2", 80, "lan", 20000), passes(not_ours),
		    .flows = 1 },
		  { INTO_LAN_OWN, tcp(RST, "lan", 20000, "host2", 80), passes(not_ours),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(ACK, "lan", 20000, "host", 80, .ttl = 63)), .flows = 1,
		    .before = state_make_stale },
	  } },
	{ .name = "the_stack_refusing_an_answer_that_no_program_saw_ends_nothing",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)),
		    .flows = 1 },
		  { INTO_LAN_OWN, tcp(RST | ACK, "lan", 20000, "host", 80), drops(unjudged),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "lan", 20000),
		    tunnels(tcp(SYN | ACK, "host", 80, "phone", 20000, .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(ACK, "lan", 20000, "host", 80, .ttl = 63)), .flows = 1,
		    .before = state_make_stale },
	  } },
	{ .name = "a_retired_port_is_this_machines_for_members_too",
	  .policy = OPEN_MASQ,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 9), passes(nat_port_lost),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", 20000), passes(deliver),
		    .flows = 2 },
	  } },
	{ .name = "fragments_and_options_of_this_machine_pass",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  PHONE_IS_MAPPED,
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 9, .frag = 100), passes(not_ours),
		    .flows = 1 },
		  { INTO_LAN_OWN, udp("lan", 20000, "host2", 9, V4_OPTIONS("\1\1\1\0")),
		    passes(nat_port_lost), .flows = 1 },
	  } },
};
ROWS(retiring)
