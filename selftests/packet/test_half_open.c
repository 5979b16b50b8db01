// SPDX-License-Identifier: GPL-2.0-only
/* What nobody has answered goes first when the table or the ports run short; all else stays. */
#include <linux/pkt_cls.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define TWO_PORTS POLICY(MASQUERADE, GRANT_ALL, POLICY_LIMITS("\"snat_ports\": \"20000-20001\""))

#define ROOM  (RIG_FLOWS / 8)       /* kept for slots that are free or will be */
#define SHORT (TP_HALF_OPEN_MS / 3) /* the test itself takes time too */
#define LONG  (TP_HALF_OPEN_MS + 100)
#define QUIET (TP_FLOW_QUIET_MS + 100)

static enum family family;

static enum tp_reason run(enum hook hook, const struct packet *packet)
{
	return row_reason(hook, packet, family);
}

/*
 * Whether a packet is sent on, without a look at the counters: a table is filled in far less than
 * TP_HALF_OPEN_MS, also on a slow machine.
 */
static bool is_sent_on(const struct packet *packet)
{
	static const struct ports none = {};
	uint8_t frame[FRAME_MAX];
	struct run result = {};

	rig_fire(FROM_TUNNEL, frame, row_frame(FROM_TUNNEL, packet, family, &none, frame), &result);
	return result.retval == TC_ACT_REDIRECT;
}

static bool opens(int port)
{
	const struct packet syn = tcp(SYN, "phone", port, "tablet", 80);

	return is_sent_on(&syn);
}

static enum tp_reason send_syn(int port)
{
	const struct packet syn = tcp(SYN, "phone", port, "tablet", 80);

	return run(FROM_TUNNEL, &syn);
}

static void half_open(int from, int to)
{
	for (; from < to; from++)
		CHECK(opens(from));
}

static void answer_syn(int port)
{
	const struct packet answer = tcp(SYN | ACK, "tablet", 80, "phone", port);
	const struct packet ack = tcp(ACK, "phone", port, "tablet", 80);

	CHECK(is_sent_on(&answer));
	CHECK(is_sent_on(&ack));
}

static void establish(int from, int to)
{
	for (; from < to; from++) {
		CHECK(opens(from));
		answer_syn(from);
	}
}

static bool is_alive(int port)
{
	static const struct ports none = {};
	const struct packet packet = tcp(ACK, "phone", port, "tablet", 80);
	struct tp_flow_key key = state_key(&packet, family, &none, TP_SIDE_TUNNEL);
	struct tp_flow flow;

	return state_find_flow(&key, &flow);
}

static uint64_t evicted(void)
{
	static uint64_t before;
	uint64_t now = state_flow_counter().evicted, more = now - before;

	before = now;
	return more;
}

static void start(const char *policy, enum family which)
{
	family = which;
	row_start(policy, family);
	evicted();
}

#define TEST_BOTH(name)                             \
	static void name(enum family family_of_it); \
	TEST(name##_v4)                             \
	{                                           \
		name(V4);                           \
	}                                           \
	TEST(name##_v6)                             \
	{                                           \
		name(V6);                           \
	}                                           \
	static void name(enum family family_of_it)

TEST_BOTH(the_oldest_go_first)
{
	start(OPEN_ROUTED, family_of_it);
	half_open(1, RIG_FLOWS + 1);
	state_pass_ms(LONG);
	CHECK_INT(send_syn(5000), TP_R_ct_full); /* makes room, which is ready in a second */
	CHECK_INT(evicted(), 8);
	CHECK(!is_alive(1));
	CHECK(!is_alive(8));
	CHECK(is_alive(9));
	CHECK_INT(state_live_flows(), RIG_FLOWS - 8);

	state_pass_ms(QUIET);
	CHECK_INT(send_syn(5000), TP_R_forward);
	CHECK(is_alive(5000));
}

TEST_BOTH(nobody_goes_before_its_time)
{
	start(OPEN_ROUTED, family_of_it);
	half_open(1, RIG_FLOWS + 1);
	state_pass_ms(SHORT);
	CHECK_INT(send_syn(5000), TP_R_ct_full);
	CHECK_INT(evicted(), 0);
	CHECK_INT(state_live_flows(), RIG_FLOWS);
}

TEST_BOTH(nobody_goes_while_there_is_room)
{
	start(OPEN_ROUTED, family_of_it);
	half_open(1, RIG_FLOWS - ROOM + 1);
	state_pass_ms(LONG);
	half_open(5000, 5001);
	CHECK_INT(evicted(), 0);
	half_open(5001, 5002); /* there was one too many, now there is one more */
	CHECK_INT(evicted(), 1);
	CHECK(!is_alive(1));
	CHECK(is_alive(2));
	CHECK_INT(state_live_flows(), RIG_FLOWS - ROOM + 1);
}

TEST_BOTH(what_was_answered_never_goes)
{
	const struct packet closing = tcp(RST, "phone", 1, "tablet", 80);
	const struct packet query = udp("phone", 1, "tablet", 53);
	const struct packet reply = udp("tablet", 53, "phone", 1);
	const struct packet echo = ping("phone", "tablet", 1);
	const struct packet pong_ = pong("tablet", "phone", 1);

	start(OPEN_ROUTED, family_of_it);
	establish(1, RIG_FLOWS - 1);
	CHECK_INT(run(FROM_TUNNEL, &closing), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &query), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &reply), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &echo), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &pong_), TP_R_forward);
	CHECK_INT(state_live_flows(), RIG_FLOWS);

	state_pass_ms(10 * LONG);
	CHECK_INT(send_syn(5000), TP_R_ct_full);
	CHECK_INT(evicted(), 0);
	CHECK_INT(state_live_flows(), RIG_FLOWS);
}

/* Also other protocols: their next packet opens a flow anew. */
TEST_BOTH(what_was_not_answered_goes_whatever_it_is)
{
	const struct packet query = udp("phone", 1, "tablet", 53);
	const struct packet echo = ping("phone", "tablet", 1);
	const struct packet esp = ip(IPPROTO_ESP, "phone", "tablet");
	const struct packet refused = tcp(RST | ACK, "tablet", 80, "phone", 1);

	start(OPEN_ROUTED, family_of_it);
	CHECK_INT(run(FROM_TUNNEL, &query), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &echo), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &esp), TP_R_forward);
	half_open(1, 2);
	CHECK_INT(run(FROM_TUNNEL, &refused), TP_R_forward);
	establish(2, RIG_FLOWS - 2);
	CHECK_INT(state_live_flows(), RIG_FLOWS);

	state_pass_ms(LONG);
	CHECK_INT(send_syn(5000), TP_R_ct_full);
	CHECK_INT(evicted(), 4);
	state_pass_ms(QUIET);
	CHECK_INT(run(FROM_TUNNEL, &query), TP_R_forward);
}

/* Most of the table is in use for good: the handshakes of the rest still have their time. */
TEST_BOTH(a_handshake_has_its_time_in_a_crowded_table)
{
	start(OPEN_ROUTED, family_of_it);
	establish(1, RIG_FLOWS - ROOM / 2);
	half_open(5000, 5000 + ROOM / 4);
	state_pass_ms(SHORT);
	half_open(6000, 6001);
	CHECK_INT(evicted(), 0);
	CHECK(is_alive(5000));
	answer_syn(5000);
}

/* ---- ports ---------------------------------------------------------------------------------- */

TEST_BOTH(ports_of_half_open_flows_come_back)
{
	const struct packet held = tcp(SYN, "phone", 20000, "host", 80);
	const struct packet answered = udp("tablet", 20001, "host", 53);
	const struct packet answer = udp("host", 53, "lan", 20001);
	const struct packet no_port = udp("phone", 9, "tablet", 53); /* is not translated */
	const struct packet late = udp("tablet", 5, "host", 53);
	const struct packet other = tcp(SYN, "phone", 7, "host", 80);
	const struct packet third = tcp(SYN, "tablet", 8, "host", 80);

	start(TWO_PORTS, family_of_it);
	CHECK_INT(run(FROM_TUNNEL, &no_port), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &held), TP_R_forward_neigh);
	/* a port belongs to one protocol */
	CHECK_INT(run(FROM_TUNNEL, &other), TP_R_forward_neigh);
	CHECK_INT(run(FROM_TUNNEL, &answered), TP_R_forward_neigh);
	CHECK_INT(run(FROM_LAN, &answer), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &late), TP_R_forward_neigh);
	CHECK_INT(run(FROM_TUNNEL, &third), TP_R_nat_full);
	CHECK_INT(evicted(), 0);
	state_pass_ms(LONG);
	CHECK_INT(run(FROM_TUNNEL, &third), TP_R_nat_full);
	CHECK_INT(evicted(), 3);
	state_pass_ms(QUIET);
	CHECK_INT(run(FROM_TUNNEL, &third), TP_R_nat_full); /* buries */
	CHECK_INT(run(FROM_TUNNEL, &third), TP_R_forward_neigh);
	CHECK_INT(run(FROM_LAN, &answer), TP_R_forward);
	CHECK_INT(run(FROM_TUNNEL, &no_port), TP_R_forward);
}

/* ---- floods --------------------------------------------------------------------------------- */

#define TICK_MS 100
#define TICKS   100

static bool connects(int port)
{
	if (!opens(port))
		return false;
	answer_syn(port);
	return true;
}

/* SYNs of nobody, and somewhere in each tick an honest client; how many of these got in. */
static int flood(int per_tick)
{
	static int port;
	int tick, i, admitted = 0;

	for (tick = 0; tick < TICKS; tick++) {
		for (i = 0; i < per_tick; i++) {
			if (i == tick * 37 % per_tick)
				admitted += connects(60000 + tick);
			opens(1000 + port++ % 50000);
		}
		state_pass_ms(TICK_MS);
	}
	return admitted;
}

static void check_clients(int admitted)
{
	int tick, alive = 0;

	for (tick = 0; tick < TICKS; tick++)
		alive += is_alive(60000 + tick);
	CHECK_INT(alive, admitted);
}

/* As many SYNs a second as a tenth of the table: it fills up in ten seconds, but for evictions. */
TEST_BOTH(a_slow_flood_keeps_nobody_out)
{
	int admitted;

	start(OPEN_ROUTED, family_of_it);
	half_open(1, 900);
	state_pass_ms(LONG);
	admitted = flood(RIG_FLOWS / 100);
	CHECK_INT(admitted, TICKS);
	check_clients(admitted);
}

/* As many SYNs a second as the table has slots: 262144, with the size it has by default. */
TEST_BOTH(an_honest_client_gets_in_during_a_flood)
{
	int admitted;

	start(OPEN_ROUTED, family_of_it);
	establish(1, 100);
	admitted = flood(RIG_FLOWS / 10);
	/* about one try in four, which is one or two retries of an honest SYN */
	test_check(admitted >= TICKS / 6, __FILE__, __LINE__, "%d of %d got in", admitted, TICKS);
	check_clients(admitted);
	CHECK(is_alive(1));
	CHECK(is_alive(99));
}

/* Case 42: in real time, as fast as the programs go. */
TEST_BOTH(established_flows_outlive_100000_syns)
{
	int i;

	start(OPEN_ROUTED, family_of_it);
	establish(1, 100);
	for (i = 0; i < 100000; i++) {
		const struct packet syn =
			tcp(SYN, "phone", 1000 + i % 50000, "tablet", 81 + i / 50000);

		is_sent_on(&syn);
	}
	for (i = 1; i < 100; i++) {
		const struct packet data = tcp(ACK, "phone", i, "tablet", 80);
		const struct packet answer = tcp(ACK, "tablet", 80, "phone", i);

		CHECK_INT(run(FROM_TUNNEL, &data), TP_R_forward);
		CHECK_INT(run(FROM_TUNNEL, &answer), TP_R_forward);
	}
	CHECK(state_live_flows() > RIG_FLOWS / 2);
}
