// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections: what opens a flow, what closes it, how long it lives. */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define to_server(flags, ...) tcp(flags, "phone", 1, "host", 80, ##__VA_ARGS__)
#define to_client(flags, ...) tcp(flags, "host", 80, "phone", 1, ##__VA_ARGS__)

#define to_us(flags, ...)   tcp(flags, "phone", 4000, "self", 22, ##__VA_ARGS__)
#define from_us(flags, ...) tcp(flags, "self", 22, "phone", 4000, ##__VA_ARGS__)

/* Handshake as three steps. */
#define HANDSHAKE                                                                               \
	{ FROM_TUNNEL, to_server(SYN), resolves(LAN0, to_server(SYN, .ttl = 63)), .flows = 1 }, \
		{ FROM_LAN, to_client(SYN | ACK), tunnels(to_client(SYN | ACK, .ttl = 63)),     \
		  .flows = 1 },                                                                 \
	{                                                                                       \
		FROM_TUNNEL, to_server(ACK), sends(LAN0, "host", to_server(ACK, .ttl = 63)),    \
			.flows = 1                                                              \
	}

static const struct packet client = to_server(ACK);

static struct tp_flow_state connection(void)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(&client, row_family(), &none, TP_SIDE_TUNNEL);
	struct tp_flow flow = {};

	CHECK(state_find_flow(&key, &flow));
	return state_slot(flow.slot);
}

/* The kind of the flow that has an entry for to_us: we are its server, or else its client. */
static int kind_of_ours(bool server)
{
	static const struct packet in = to_us(ACK);
	struct ports none = {};
	struct tp_flow_key key = state_key(&in, row_family(), &none, TP_SIDE_TUNNEL);
	struct tp_flow flow = {};

	CHECK(state_find_flow(&key, &flow));
	CHECK_INT(!!(flow.flags & TP_FLOW_REPLY), !server);
	return state_slot(flow.slot).kind;
}

static void ours_is_opening(void)
{
	CHECK_INT(kind_of_ours(true), TP_FLOW_TCP_OPENING);
}

static void ours_is_established(void)
{
	CHECK_INT(kind_of_ours(true), TP_FLOW_TCP_ESTABLISHED);
}

static void ours_is_closing(void)
{
	CHECK_INT(kind_of_ours(true), TP_FLOW_TCP_CLOSING);
}

static void we_are_opening(void)
{
	CHECK_INT(kind_of_ours(false), TP_FLOW_TCP_OPENING);
}

static void we_are_established(void)
{
	CHECK_INT(kind_of_ours(false), TP_FLOW_TCP_ESTABLISHED);
}

static void we_are_closing(void)
{
	CHECK_INT(kind_of_ours(false), TP_FLOW_TCP_CLOSING);
}

static void age(uint32_t seconds)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(&client, row_family(), &none, TP_SIDE_TUNNEL);

	state_age(&key, seconds);
}

static void is_opening(void)
{
	CHECK_INT(connection().kind, TP_FLOW_TCP_OPENING);
}

static void is_established(void)
{
	CHECK_INT(connection().kind, TP_FLOW_TCP_ESTABLISHED);
}

static void is_closing(void)
{
	CHECK_INT(connection().kind, TP_FLOW_TCP_CLOSING);
}

static void is_half_closed(void)
{
	CHECK_INT(connection().kind, TP_FLOW_TCP_ESTABLISHED);
	CHECK_INT(connection().tcp & (TP_TCP_FIN | TP_TCP_FIN << 1), TP_TCP_FIN);
}

static void age_239_s(void)
{
	age(239);
}

static void age_241_s(void)
{
	age(241);
}

static void age_7439_s(void)
{
	is_established();
	age(7439);
}

static void age_7441_s(void)
{
	age(7441);
}

static void allow_nothing(void)
{
	rig_switch(POLICY(NO_SNAT, "", ""));
}

static const struct row rows[] = {
	{ .name = "only_syn_opens",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_server(ACK), drops(invalid) },
		  { FROM_TUNNEL, to_server(SYN | ACK), drops(invalid) },
		  { FROM_TUNNEL, to_server(RST), drops(invalid) },
		  { FROM_TUNNEL, to_server(RST | ACK), drops(invalid) },
		  { FROM_TUNNEL, to_server(FIN | ACK), drops(invalid) },
		  { FROM_TUNNEL, to_server(SYN | FIN), drops(invalid) },
		  { FROM_TUNNEL, to_server(SYN | RST), drops(invalid) },
		  { FROM_TUNNEL, to_server(0), drops(invalid) },
		  { FROM_TUNNEL, tcp(ACK, "phone", 1, "self", 22), drops(invalid) },
	  } },
	{ .name = "only_syn_opens_from_the_lan",
	  .policy = POLICY(NO_SNAT, GRANT("192.0.2.0/24", "phone", "*")
			   ", " GRANT("2001:db8:30::/64", "phone", "*"), ""),
	  .steps = {
		  { FROM_LAN, to_client(SYN | ACK), drops(invalid) },
		  { FROM_LAN, to_client(ACK), drops(invalid) },
		  { FROM_LAN, to_client(RST), drops(invalid) },
	  } },
	{ .name = "a_handshake_establishes",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_TUNNEL, to_server(ACK, .payload = "GET"),
		    sends(LAN0, "host", to_server(ACK, .payload = "GET", .ttl = 63)), .flows = 1,
		    .before = is_established },
	  } },
	{ .name = "a_syn_alone_does_not_establish",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_server(SYN), resolves(LAN0, to_server(SYN, .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, to_server(ACK), sends(LAN0, "host", to_server(ACK, .ttl = 63)),
		    .flows = 1, .before = is_opening },
		  { FROM_TUNNEL, to_server(SYN), sends(LAN0, "host", to_server(SYN, .ttl = 63)),
		    .flows = 1, .before = is_opening },
	  } },
	{ .name = "established_lives_7440_s",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_TUNNEL, to_server(ACK), sends(LAN0, "host", to_server(ACK, .ttl = 63)),
		    .flows = 1, .before = age_7439_s },
		  { FROM_TUNNEL, to_server(ACK), drops(invalid), .before = age_7441_s },
	  } },
	{ .name = "opening_lives_240_s",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_server(SYN), resolves(LAN0, to_server(SYN, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, to_client(SYN | ACK), tunnels(to_client(SYN | ACK, .ttl = 63)),
		    .flows = 1, .before = age_239_s },
	  } },
	{ .name = "opening_ends_after_240_s",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_server(SYN), resolves(LAN0, to_server(SYN, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, to_client(SYN | ACK), drops(invalid), .before = age_241_s },
	  } },
	{ .name = "fin_both_ways_closes",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_TUNNEL, to_server(FIN | ACK),
		    sends(LAN0, "host", to_server(FIN | ACK, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, to_client(ACK), tunnels(to_client(ACK, .ttl = 63)), .flows = 1,
		    .before = is_half_closed },
		  { FROM_LAN, to_client(FIN | ACK), tunnels(to_client(FIN | ACK, .ttl = 63)),
		    .flows = 1, .before = is_half_closed },
		  { FROM_TUNNEL, to_server(ACK), sends(LAN0, "host", to_server(ACK, .ttl = 63)),
		    .flows = 1, .before = is_closing },
		  { FROM_TUNNEL, to_server(SYN), resolves(LAN0, to_server(SYN, .ttl = 63)),
		    .flows = 1, .before = is_closing },
		  { FROM_LAN, to_client(SYN | ACK), tunnels(to_client(SYN | ACK, .ttl = 63)),
		    .flows = 1, .before = is_opening },
	  } },
	{ .name = "reset_closes",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_LAN, to_client(RST), tunnels(to_client(RST, .ttl = 63)), .flows = 1 },
		  /* RFC 7857: data may still be under way, for the 240 s of a closing flow */
		  { FROM_TUNNEL, to_server(ACK), sends(LAN0, "host", to_server(ACK, .ttl = 63)),
		    .flows = 1, .before = is_closing },
		  { FROM_TUNNEL, to_server(ACK), drops(invalid), .before = age_241_s },
	  } },
	{ .name = "a_reopened_connection_is_judged_again",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_LAN, to_client(RST), tunnels(to_client(RST, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, to_server(SYN), drops(acl), .before = allow_nothing },
	  } },
	{ .name = "who_may_not_open_a_connection_does_not_end_a_closing_one",
	  .policy = POLICY(NO_SNAT, TO_LAN, ""),
	  .steps = {
		  HANDSHAKE,
		  { FROM_LAN, to_client(RST), tunnels(to_client(RST, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, to_client(SYN), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, to_server(ACK), sends(LAN0, "host", to_server(ACK, .ttl = 63)),
		    .flows = 1, .before = is_closing },
	  } },
	{ .name = "who_may_open_a_connection_takes_a_closing_one_over",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_LAN, to_client(RST), tunnels(to_client(RST, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, to_client(SYN), tunnels(to_client(SYN, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, to_server(SYN | ACK),
		    resolves(LAN0, to_server(SYN | ACK, .ttl = 63)), .flows = 1,
		    .before = is_opening },
		  { FROM_LAN, to_client(ACK), tunnels(to_client(ACK, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, to_client(ACK), tunnels(to_client(ACK, .ttl = 63)), .flows = 1,
		    .before = is_established },
	  } },
	{ .name = "a_syn_without_hops_left_opens_nothing",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_server(SYN, .ttl = 1), passes(ttl_exceeded) },
		  { FROM_TUNNEL, to_server(SYN, .ttl = TTL_ZERO), drops(malformed) },
	  } },
	{ .name = "a_connection_to_this_machine_is_followed_both_ways",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, to_us(SYN), passes(deliver), .flows = 1 },
		  { INTO_TUNNEL_OWN, from_us(SYN | ACK), passes(judged), .flows = 1,
		    .before = ours_is_opening },
		  { FROM_TUNNEL, to_us(ACK), passes(deliver), .flows = 1,
		    .before = ours_is_opening },
		  { INTO_TUNNEL_OWN, from_us(FIN | ACK), passes(judged), .flows = 1,
		    .before = ours_is_established },
		  { FROM_TUNNEL, to_us(FIN | ACK), passes(deliver), .flows = 1,
		    .before = ours_is_established },
		  { INTO_TUNNEL_OWN, from_us(ACK), passes(judged), .flows = 1,
		    .before = ours_is_closing },
		  { FROM_TUNNEL, to_us(SYN), passes(deliver), .flows = 1,
		    .before = ours_is_closing },
		  { INTO_TUNNEL_OWN, from_us(SYN | ACK), passes(judged), .flows = 1,
		    .before = ours_is_opening },
	  } },
	{ .name = "this_machine_opens_a_closing_connection_anew",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, from_us(SYN), passes(own), .flows = 1 },
		  { FROM_TUNNEL, to_us(SYN | ACK), passes(deliver), .flows = 1,
		    .before = we_are_opening },
		  { INTO_TUNNEL_OWN, from_us(ACK), passes(judged), .flows = 1,
		    .before = we_are_opening },
		  { INTO_TUNNEL_OWN, from_us(RST), passes(judged), .flows = 1,
		    .before = we_are_established },
		  { INTO_TUNNEL_OWN, from_us(SYN), passes(own), .flows = 1,
		    .before = we_are_closing },
		  { FROM_TUNNEL, to_us(SYN | ACK), passes(deliver), .flows = 1,
		    .before = we_are_opening },
	  } },
	{ .name = "a_masqueraded_connection_is_followed_both_ways",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, to_server(SYN),
		    resolves(LAN0, tcp(SYN, "lan", PORT_A, "host", 80, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "lan", PORT_A),
		    tunnels(to_client(SYN | ACK, .ttl = 63)), .flows = 1,
		    .before = is_opening },
		  { FROM_TUNNEL, to_server(ACK),
		    sends(LAN0, "host", tcp(ACK, "lan", PORT_A, "host", 80, .ttl = 63)),
		    .flows = 1, .before = is_opening },
		  { FROM_LAN, tcp(RST, "host", 80, "lan", PORT_A),
		    tunnels(to_client(RST, .ttl = 63)), .flows = 1,
		    .before = is_established },
		  /* a new connection by the same mapping */
		  { FROM_TUNNEL, to_server(SYN),
		    resolves(LAN0, tcp(SYN, "lan", PORT_A, "host", 80, .ttl = 63)), .flows = 1,
		    .before = is_closing },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "lan", PORT_A),
		    tunnels(to_client(SYN | ACK, .ttl = 63)), .flows = 1,
		    .before = is_opening },
	  } },
	{ .name = "nonsense_does_not_take_a_closing_one_over",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_LAN, to_client(RST), tunnels(to_client(RST, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, to_server(SYN | RST),
		    sends(LAN0, "host", to_server(SYN | RST, .ttl = 63)), .flows = 1,
		    .before = is_closing },
		  { FROM_TUNNEL, to_server(SYN | FIN),
		    sends(LAN0, "host", to_server(SYN | FIN, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, to_client(ACK), tunnels(to_client(ACK, .ttl = 63)), .flows = 1,
		    .before = is_closing },
	  } },
	{ .name = "a_reset_that_goes_no_further_resets_nothing",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HANDSHAKE,
		  { FROM_LAN, to_client(RST, .ttl = TTL_ZERO), drops(malformed), .flows = 1 },
		  { FROM_TUNNEL, to_server(ACK), sends(LAN0, "host", to_server(ACK, .ttl = 63)),
		    .flows = 1, .before = is_established },
	  } },
	{ .name = "refuses_icmp_queries_that_are_no_echo",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, ip(IPPROTO_ICMP, "phone", "host", .icmp6 = { 139 }),
		    drops(icmp_unrelated) }, /* node information, RFC 4620 */
		  { FROM_TUNNEL, ip(IPPROTO_ICMP, "phone", "host", .icmp6 = { 137 }),
		    drops(icmp_unrelated) }, /* redirect */
	  } },
};
ROWS(rows)
