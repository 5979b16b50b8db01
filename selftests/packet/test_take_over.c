// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections of this machine that are older than their flow: applying a policy for the first
 * time must not end the ssh session that it is applied from.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
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

#define to_us(flags, ...)   tcp(flags, "phone", 4000, "self", 22, ##__VA_ARGS__)
#define from_us(flags, ...) tcp(flags, "self", 22, "phone", 4000, ##__VA_ARGS__)

#define NOTHING POLICY(NO_SNAT, "", "")

/* ---- a socket with nobody at its other end -------------------------------------------------- */

static int ssh = -1;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static socklen_t put_address(const char *place, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (row_family() == V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		places_put_addr(place, V4, (uint8_t *)&v4->sin_addr);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	places_put_addr(place, V6, (uint8_t *)&v6->sin6_addr);
	return sizeof(*v6);
}

static void bind_ssh(void)
{
	struct sockaddr_storage self;
	socklen_t size = put_address("self", 22, &self);
	int one = 1;

	ssh = socket(row_family() == V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ssh < 0 || setsockopt(ssh, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(ssh, (struct sockaddr *)&self, size))
		die("packet tier: bind");
}

/* A socket in repair mode connects, and ends, without a packet. */
static void connect_ssh(void)
{
	struct sockaddr_storage phone;
	socklen_t size = put_address("phone", 4000, &phone);
	int repair = TCP_REPAIR_ON;

	bind_ssh();
	if (setsockopt(ssh, IPPROTO_TCP, TCP_REPAIR, &repair, sizeof(repair)) ||
	    connect(ssh, (struct sockaddr *)&phone, size))
		die("packet tier: connect");
}

static void listen_ssh(void)
{
	bind_ssh();
	if (listen(ssh, 1))
		die("packet tier: listen");
}

static void close_ssh(void)
{
	close(ssh);
	ssh = -1;
}

/* ---- the flow --------------------------------------------------------------------------------*/

static struct tp_flow_state session(void)
{
	static const struct packet packet = to_us(ACK);
	static const struct ports none = {};
	struct tp_flow_key key = state_key(&packet, row_family(), &none, TP_SIDE_TUNNEL);
	struct tp_flow flow = {};

	CHECK(state_find_flow(&key, &flow));
	return state_slot(flow.slot);
}

static void is_established(void)
{
	CHECK_INT(session().kind, TP_FLOW_TCP_ESTABLISHED);
}

static void is_opening(void)
{
	CHECK_INT(session().kind, TP_FLOW_TCP_OPENING);
}

static void is_closing(void)
{
	CHECK_INT(session().kind, TP_FLOW_TCP_CLOSING);
}

static void has_sent_one(void)
{
	is_established();
	CHECK_INT(session().way[TP_OPENER].packets, 0);
	CHECK_INT(session().way[TP_ANSWERER].packets, 1);
}

static const struct row rows[] = {
	{ .name = "a_session_goes_on",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_us(ACK), passes(deliver), .flows = 1, .before = connect_ssh },
		  { INTO_TUNNEL_OWN, from_us(ACK), passes(judged), .flows = 1,
		    .before = is_established },
		  { FROM_TUNNEL, to_us(ACK), passes(deliver), .flows = 1,
		    .before = is_established },
	  },
	  .after = close_ssh },
	{ .name = "a_session_may_end",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_us(FIN | ACK), passes(deliver), .flows = 1,
		    .before = connect_ssh },
		  { INTO_TUNNEL_OWN, from_us(FIN | ACK), passes(judged), .flows = 1,
		    .before = is_established },
		  { FROM_TUNNEL, to_us(ACK), passes(deliver), .flows = 1, .before = is_closing },
	  },
	  .after = close_ssh },
	{ .name = "a_session_may_be_reset",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_us(RST), passes(deliver), .flows = 1, .before = connect_ssh },
		  { FROM_TUNNEL, to_us(RST), passes(deliver), .flows = 1, .before = is_closing },
	  },
	  .after = close_ssh },
	{ .name = "a_session_is_judged_by_the_grants",
	  .policy = NOTHING,
	  .steps = {
		  { FROM_TUNNEL, to_us(ACK), drops(acl), .before = connect_ssh },
		  { INTO_TUNNEL_OWN, from_us(ACK), passes(own) },
		  { FROM_TUNNEL, to_us(ACK), drops(acl) },
	  },
	  .after = close_ssh },
	{ .name = "a_session_belongs_to_its_client_alone",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, tcp(ACK, "phone", 4001, "self", 22), drops(invalid),
		    .before = connect_ssh },
		  { FROM_TUNNEL, tcp(ACK, "tablet", 4000, "self", 22), drops(invalid) },
		  { FROM_TUNNEL, tcp(ACK, "phone", 4000, "self", 23), drops(invalid) },
		  { FROM_LAN, tcp(ACK, "host", 4000, "self", 22), drops(invalid) },
	  },
	  .after = close_ssh },
	{ .name = "a_session_does_not_go_on_with_a_syn_or_with_nonsense",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_us(SYN | ACK), drops(invalid), .before = connect_ssh },
		  { FROM_TUNNEL, to_us(0), drops(invalid) },
		  { FROM_TUNNEL, to_us(FIN), drops(invalid) },
		  { FROM_TUNNEL, to_us(SYN | FIN | ACK), drops(invalid) },
		  { FROM_TUNNEL, to_us(FIN | RST | ACK), drops(invalid) },
	  },
	  .after = close_ssh },
	{ .name = "a_listening_socket_is_no_session",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_us(ACK), drops(invalid), .before = listen_ssh },
	  },
	  .after = close_ssh },
	{ .name = "a_session_goes_on_when_this_machine_speaks_first",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, from_us(ACK), passes(own), .flows = 1 },
		  { FROM_TUNNEL, to_us(ACK), passes(deliver), .flows = 1,
		    .before = has_sent_one },
	  } },
	{ .name = "a_handshake_goes_on_but_is_not_established",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, from_us(SYN | ACK), passes(own), .flows = 1 },
		  { FROM_TUNNEL, to_us(ACK, .ack = -1), passes(deliver), .flows = 1,
		    .before = is_opening },
		  { FROM_TUNNEL, to_us(ACK), passes(deliver), .flows = 1, .before = is_opening },
		  { FROM_TUNNEL, to_us(ACK), passes(deliver), .flows = 1,
		    .before = is_established },
	  } },
	{ .name = "a_reset_of_this_machine_opens_nothing",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, from_us(RST | ACK), passes(own) },
		  { FROM_TUNNEL, to_us(ACK), drops(invalid) },
	  } },
};
ROWS(rows)
