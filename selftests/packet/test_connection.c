// SPDX-License-Identifier: GPL-2.0-only
/*
 * One TCP connection, packet by packet: after each the state of its flow is compared as a whole,
 * with the packets and bytes that either side has sent.
 */
#include <stdio.h>
#include <stdlib.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define to_server(flags, ...) tcp(flags, "phone", 20000, "host", 80, ##__VA_ARGS__)
#define to_client(flags, ...) tcp(flags, "host", 80, "phone", 20000, ##__VA_ARGS__)

#define OPENING     TP_FLOW_TCP_OPENING
#define ESTABLISHED TP_FLOW_TCP_ESTABLISHED
#define CLOSING     TP_FLOW_TCP_CLOSING

/* What the client has sent, C_*, and the server. */
enum sent {
	C_SYN = TP_TCP_SYN,
	S_SYN = TP_TCP_SYN << 1,
	C_ACKED = TP_TCP_ACKED,
	S_ACKED = TP_TCP_ACKED << 1,
	C_FIN = TP_TCP_FIN,
	S_FIN = TP_TCP_FIN << 1,
	C_RST = TP_TCP_RST,
	S_RST = TP_TCP_RST << 1,
	OPEN = C_SYN | S_SYN | C_ACKED | S_ACKED,
};

/* A packet and the flow after it. */
struct turn {
	struct step step;
	enum tp_flow_kind kind;
	int sent;
	uint32_t age; /* seconds of silence before it */
	bool anew;    /* begins another flow */
	bool idle;    /* goes no further, and leaves the flow as it was */
};

#define TURNS_MAX 12

struct connection {
	const char *name;
	struct turn turns[TURNS_MAX];
};

/* The first packet has the kernel look up the neighbour. */
#define first(flags, ...)                                                              \
	{                                                                              \
		FROM_TUNNEL, to_server(flags, ##__VA_ARGS__),                          \
			resolves(LAN0, to_server(flags, .ttl = 63, ##__VA_ARGS__)), 1, \
	}
#define client(flags, ...)                                                                  \
	{                                                                                   \
		FROM_TUNNEL, to_server(flags, ##__VA_ARGS__),                               \
			sends(LAN0, "host", to_server(flags, .ttl = 63, ##__VA_ARGS__)), 1, \
	}
#define server(flags, ...)                                                      \
	{                                                                       \
		FROM_LAN, to_client(flags, ##__VA_ARGS__),                      \
			tunnels(to_client(flags, .ttl = 63, ##__VA_ARGS__)), 1, \
	}
/* What the stack is left to refuse. */
#define refused(hook, why, packet)            \
	{                                     \
		hook, packet, passes(why), 1, \
	}
#define LARGE .frag = DF, .payload_size = 1600
#define HANDSHAKE                                                                                \
	{ first(SYN), OPENING, C_SYN }, { server(SYN | ACK), OPENING, C_SYN | S_SYN | S_ACKED }, \
	{                                                                                        \
		client(ACK), ESTABLISHED, OPEN                                                   \
	}

static const struct connection connections[] = {
	{ "is_established_when_both_syns_are_acknowledged", { HANDSHAKE } },
	{ "opens_from_both_sides_at_once", /* RFC 9293 figure 8 */
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN), OPENING, C_SYN | S_SYN },
	    { client(SYN | ACK), OPENING, C_SYN | S_SYN | C_ACKED },
	    { server(SYN | ACK), ESTABLISHED, OPEN },
	    { client(ACK), ESTABLISHED, OPEN } } },
	{ "opens_from_both_sides_with_plain_acks",
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN), OPENING, C_SYN | S_SYN },
	    { server(ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK), ESTABLISHED, OPEN } } },
	{ "opens_with_data_in_its_syn", /* RFC 7413 */
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN | ACK, .ack = 7), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK, .seq = 7), ESTABLISHED, OPEN } } },
	{ "opens_when_its_third_packet_was_lost",
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN | ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { server(ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK, .ack = 1000), ESTABLISHED, OPEN } } },
	{ "opens_with_data_in_its_third_packet",
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN | ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(FIN | ACK), ESTABLISHED, OPEN | C_FIN } } },
	{ "is_not_established_by_its_opener_alone",
	  { { first(SYN), OPENING, C_SYN },
	    { client(ACK), OPENING, C_SYN },
	    { client(ACK, .payload = "GET"), OPENING, C_SYN } } },
	{ "is_not_established_without_a_syn_of_the_server",
	  { { first(SYN), OPENING, C_SYN },
	    { server(ACK), OPENING, C_SYN | S_ACKED },
	    { client(ACK), OPENING, C_SYN | S_ACKED } } },
	{ "is_not_established_by_an_ack_of_another_number",
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN | ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK, .ack = -1), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK, .ack = 65536), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK, .ack = 65535), ESTABLISHED, OPEN } } },
	{ "is_not_established_by_a_syn_ack_of_another_number",
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN | ACK, .ack = -1), OPENING, C_SYN | S_SYN },
	    { client(ACK), OPENING, C_SYN | S_SYN | C_ACKED },
	    { server(SYN | ACK), ESTABLISHED, OPEN } } },
	{ "is_one_flow_however_often_its_syn_comes",
	  { { first(SYN), OPENING, C_SYN },
	    { client(SYN), OPENING, C_SYN },
	    { server(SYN | ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(SYN), OPENING, C_SYN | S_SYN | S_ACKED },
	    { server(SYN | ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK), ESTABLISHED, OPEN } } },
	{ "begins_again_with_another_syn_while_it_opens",
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN | ACK), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(SYN, .seq = 99999), OPENING, C_SYN | S_SYN },
	    { client(ACK), OPENING, C_SYN | S_SYN | C_ACKED },
	    { server(SYN | ACK), OPENING, C_SYN | S_SYN | C_ACKED },
	    { server(SYN | ACK, .ack = 99999), ESTABLISHED, OPEN } } },
	{ "is_not_touched_by_a_syn_once_established", /* RFC 5961 4: the answer is an ACK */
	  { HANDSHAKE,
	    { client(SYN, .seq = 99999), ESTABLISHED, OPEN },
	    { server(ACK), ESTABLISHED, OPEN },
	    { server(SYN), ESTABLISHED, OPEN },
	    { server(SYN | ACK, .ack = 5), ESTABLISHED, OPEN },
	    { client(ACK), ESTABLISHED, OPEN } } },
	{ "is_not_touched_by_flags_that_cannot_be",
	  { HANDSHAKE,
	    { client(0), ESTABLISHED, OPEN },
	    { client(FIN), ESTABLISHED, OPEN },
	    { server(FIN), ESTABLISHED, OPEN },
	    { client(SYN | FIN | ACK), ESTABLISHED, OPEN },
	    { client(SYN | RST), ESTABLISHED, OPEN },
	    { server(FIN | RST | ACK), ESTABLISHED, OPEN } } },
	{ "is_not_opened_by_flags_that_cannot_be",
	  { { first(SYN), OPENING, C_SYN },
	    { server(SYN | FIN | ACK), OPENING, C_SYN },
	    { server(SYN | RST | ACK), OPENING, C_SYN },
	    { server(FIN), OPENING, C_SYN } } },
	{ "closes_with_fin_both_ways",
	  { HANDSHAKE,
	    { client(FIN | ACK), ESTABLISHED, OPEN | C_FIN },
	    { server(ACK, .ack = 1), ESTABLISHED, OPEN | C_FIN },
	    { server(FIN | ACK, .ack = 1), CLOSING, OPEN | C_FIN | S_FIN },
	    { client(ACK, .seq = 1, .ack = 1), CLOSING, OPEN | C_FIN | S_FIN } } },
	{ "closes_with_fin_of_the_server_first",
	  { HANDSHAKE,
	    { server(FIN | ACK), ESTABLISHED, OPEN | S_FIN },
	    { client(FIN | ACK), CLOSING, OPEN | C_FIN | S_FIN },
	    { server(FIN | ACK), CLOSING, OPEN | C_FIN | S_FIN } } },
	{ "is_not_closed_by_two_fins_of_one_side",
	  { HANDSHAKE,
	    { client(FIN | ACK), ESTABLISHED, OPEN | C_FIN },
	    { client(FIN | ACK), ESTABLISHED, OPEN | C_FIN } } },
	{ "half_closed_lives_as_long_as_open",
	  { HANDSHAKE,
	    { client(FIN | ACK), ESTABLISHED, OPEN | C_FIN },
	    { server(ACK), ESTABLISHED, OPEN | C_FIN, .age = 7439 },
	    { client(ACK, .seq = 1), ESTABLISHED, OPEN | C_FIN, .age = 7439 } } },
	{ "lives_in_closing_while_packets_pass",
	  { HANDSHAKE,
	    { client(FIN | ACK), ESTABLISHED, OPEN | C_FIN },
	    { server(FIN | ACK), CLOSING, OPEN | C_FIN | S_FIN },
	    { client(ACK), CLOSING, OPEN | C_FIN | S_FIN, .age = 239 },
	    { server(ACK), CLOSING, OPEN | C_FIN | S_FIN, .age = 239 } } },
	{ "closes_with_a_reset_of_the_server",
	  { HANDSHAKE, { server(RST), CLOSING, OPEN | S_RST } } },
	{ "closes_with_a_reset_of_the_client",
	  { HANDSHAKE, { client(RST | ACK), CLOSING, OPEN | C_RST } } },
	{ "closes_with_a_reset_behind_data_under_way",
	  { HANDSHAKE, { server(RST, .seq = 1048575), CLOSING, OPEN | S_RST } } },
	{ "is_not_closed_by_a_reset_of_another_number", /* RFC 5961 3 */
	  { HANDSHAKE,
	    { server(RST, .seq = -1), ESTABLISHED, OPEN },
	    { server(RST | ACK, .seq = 1048576), ESTABLISHED, OPEN },
	    { client(RST, .seq = 0x40000000), ESTABLISHED, OPEN },
	    { client(ACK, .ack = 100), ESTABLISHED, OPEN },
	    { server(RST, .seq = 99), ESTABLISHED, OPEN },
	    { server(RST, .seq = 100), CLOSING, OPEN | S_RST } } },
	{ "comes_back_when_who_reset_it_goes_on",
	  { HANDSHAKE,
	    { server(RST), CLOSING, OPEN | S_RST },
	    { client(ACK), CLOSING, OPEN | S_RST },
	    { server(ACK), ESTABLISHED, OPEN } } },
	{ "stays_closed_when_both_have_reset_it",
	  { HANDSHAKE,
	    { server(RST), CLOSING, OPEN | S_RST },
	    { client(RST), CLOSING, OPEN | S_RST },
	    { client(ACK), CLOSING, OPEN | S_RST },
	    { server(RST), CLOSING, OPEN | S_RST } } },
	{ "does_not_come_back_after_fin_both_ways",
	  { HANDSHAKE,
	    { client(FIN | ACK), ESTABLISHED, OPEN | C_FIN },
	    { client(RST | ACK, .seq = 1), CLOSING, OPEN | C_FIN | C_RST },
	    { server(FIN | ACK), CLOSING, OPEN | C_FIN | S_FIN | C_RST },
	    { client(ACK, .seq = 1), CLOSING, OPEN | C_FIN | S_FIN } } },
	{ "stays_opening_when_it_is_refused",
	  { { first(SYN), OPENING, C_SYN },
	    { server(RST | ACK), OPENING, C_SYN },
	    { client(SYN, .seq = 99999), OPENING, C_SYN },
	    { server(SYN | ACK, .ack = 99999), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK), ESTABLISHED, OPEN } } },
	{ "is_another_after_a_syn_while_closing",
	  { HANDSHAKE,
	    { server(RST), CLOSING, OPEN | S_RST },
	    { first(SYN, .seq = 99999), OPENING, C_SYN, .anew = true },
	    { server(SYN | ACK, .ack = 99999), OPENING, C_SYN | S_SYN | S_ACKED },
	    { client(ACK), ESTABLISHED, OPEN } } },
	{ "is_no_other_after_a_syn_that_goes_no_further",
	  { HANDSHAKE,
	    { server(RST), CLOSING, OPEN | S_RST },
	    { refused(FROM_TUNNEL, ttl_exceeded, to_server(SYN, .seq = 99999, .ttl = 1)), CLOSING,
	      OPEN | S_RST, .idle = true },
	    { refused(FROM_TUNNEL, too_big, to_server(SYN, .seq = 99999, LARGE)), CLOSING,
	      OPEN | S_RST, .idle = true },
	    { server(ACK), ESTABLISHED, OPEN } } },
	{ "does_not_hear_what_goes_no_further",
	  { HANDSHAKE,
	    { refused(FROM_LAN, ttl_exceeded, to_client(RST, .ttl = 1)), ESTABLISHED, OPEN,
	      .age = 100, .idle = true },
	    { refused(FROM_LAN, too_big, to_client(FIN | ACK, LARGE)), ESTABLISHED, OPEN,
	      .age = 100, .idle = true },
	    { refused(FROM_TUNNEL, ttl_exceeded, to_server(RST, .ttl = 1)), ESTABLISHED, OPEN,
	      .age = 100, .idle = true },
	    { refused(FROM_TUNNEL, too_big, to_server(FIN | ACK, LARGE)), ESTABLISHED, OPEN,
	      .age = 100, .idle = true } } },
	{ "is_no_other_after_a_syn_ack_while_closing",
	  { HANDSHAKE,
	    { client(RST), CLOSING, OPEN | C_RST },
	    { server(SYN | ACK), CLOSING, OPEN | C_RST },
	    { client(SYN | ACK), CLOSING, OPEN | C_RST } } },
	{ "is_another_once_its_opening_is_over",
	  { { first(SYN), OPENING, C_SYN },
	    { client(SYN), OPENING, C_SYN, .age = 239 },
	    { first(SYN), OPENING, C_SYN, .age = 241, .anew = true } } },
	{ "is_another_once_it_was_silent_for_too_long",
	  { HANDSHAKE,
	    { server(ACK), ESTABLISHED, OPEN, .age = 7439 },
	    { first(SYN), OPENING, C_SYN, .age = 7441, .anew = true } } },
};

/* ---- the two directions of the flow, as they should be counted ------------------------------ */

struct tally {
	uint64_t packets[2], bytes[2];
};

static void count(struct tally *tally, const struct step *step, enum family family)
{
	static const struct ports none = {};
	enum tp_flow_end end = step->hook == FROM_TUNNEL ? TP_OPENER : TP_ANSWERER;
	uint8_t bytes[FRAME_MAX];

	tally->packets[end]++;
	tally->bytes[end] += packet_put(&step->in, family, &none, bytes);
}

static struct tp_flow_key opener(enum family family)
{
	static const struct packet syn = to_server(SYN);
	static const struct ports none = {};

	return state_key(&syn, family, &none, TP_SIDE_TUNNEL);
}

static void check_flow(const struct turn *turn, const struct tally *tally, enum family family,
		       uint64_t before)
{
	struct tp_flow_key key = opener(family);
	struct tp_flow_state state;
	struct tp_flow flow;
	int end;

	if (!CHECK(state_find_flow(&key, &flow)))
		return;
	state = state_slot(flow.slot);
	CHECK_INT(state.kind, turn->kind);
	CHECK_INT(state.tcp, turn->sent);
	/* our idea of jiffies may be a part of a second ahead of the kernel's */
	CHECK(state.seen + rig_hz() >= before && state.seen <= rig_jiffies());
	for (end = 0; end < 2; end++) {
		CHECK_INT(state.way[end].packets, tally->packets[end]);
		CHECK_INT(state.way[end].bytes, tally->bytes[end]);
	}
}

static void take_turn(const struct turn *turn, struct tally *tally, enum family family)
{
	struct tp_flow_key key = opener(family);
	uint64_t before = turn->idle ? 0 : rig_jiffies(), flows;
	struct ports none = {};

	if (turn->age)
		state_age(&key, turn->age);
	if (turn->anew)
		*tally = (struct tally){};
	flows = state_digest(true);
	row_step(&turn->step, family, &none);
	if (turn->idle)
		CHECK(state_digest(true) == flows);
	else
		count(tally, &turn->step, family);
	check_flow(turn, tally, family, before);
}

struct connection_case {
	const struct connection *connection;
	enum family family;
};

static void run_connection(const void *data)
{
	const struct connection_case *c = data;
	const struct turn *turn = c->connection->turns;
	struct tally tally = {};

	rig_start(OPEN_ROUTED);
	for (; turn < c->connection->turns + TURNS_MAX && turn->step.hook; turn++) {
		printf("  packet %d\n", (int)(turn - c->connection->turns) + 1);
		take_turn(turn, &tally, c->family);
	}
}

static void register_connection(const struct connection *connection, enum family family)
{
	struct connection_case *c = calloc(1, sizeof(*c)); /* lives as long as the program */
	char name[96];

	if (!c)
		exit(2);
	c->connection = connection;
	c->family = family;
	snprintf(name, sizeof(name), "%s_v%d", connection->name, family);
	test_register_row(__FILE__, name, run_connection, c);
}

__attribute__((constructor)) static void register_connections(void)
{
	size_t i;

	for (i = 0; i < sizeof(connections) / sizeof(connections[0]); i++) {
		register_connection(&connections[i], V4);
		register_connection(&connections[i], V6);
	}
}
