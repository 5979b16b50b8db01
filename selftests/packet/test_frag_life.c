// SPDX-License-Identifier: GPL-2.0-only
/* What is kept of a first fragment, and how long the others may follow it. */
#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

static const struct packet question = udp("phone", 20000, "host", 53, FIRST);
static const struct packet answer = udp("host", 53, "lan", 20000, FIRST);
static const struct packet mapped = udp("lan", 20000, "host", 53, FIRST);

static void allow_nothing(void)
{
	rig_switch(POLICY(MASQUERADE, "", ""));
}

static void allow_the_same(void)
{
	rig_switch(POLICY(MASQUERADE, GRANT_ALL ", " GRANT_ALL, ""));
}

static void age_the_flow(void)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(&question, row_family(), &none, TP_SIDE_TUNNEL);

	state_age(&key, 301);
}

static void end_the_flow(void)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(&question, row_family(), &none, TP_SIDE_TUNNEL);
	struct tp_flow_state state;
	struct tp_flow flow;

	if (!CHECK(state_find_flow(&key, &flow)))
		return;
	state_bury(&key);
	state = state_slot(flow.slot);
	state.died = rig_jiffies();
	state_write_slot(flow.slot, &state);
}

static struct tp_frag frag_of(const struct packet *packet, uint8_t way)
{
	struct tp_frag_key key = state_frag_key(packet, row_family(), way);
	struct tp_frag frag = {};

	CHECK(state_find_frag(&key, &frag));
	return frag;
}

static void age_fragments(uint32_t seconds)
{
	struct tp_frag_key key = state_frag_key(&question, row_family(), TP_SIDE_TUNNEL);
	struct tp_frag frag = frag_of(&question, TP_SIDE_TUNNEL);

	frag.seen = (uint32_t)rig_jiffies() - seconds * rig_hz();
	state_write_frag(&key, &frag);
}

static void age_29_s(void)
{
	age_fragments(29);
}

static void age_31_s(void)
{
	age_fragments(31);
}

static void age_the_answers(void)
{
	struct tp_frag_key key = state_frag_key(&answer, row_family(), TP_SIDE_LAN);
	struct tp_frag frag = frag_of(&answer, TP_SIDE_LAN);

	frag.seen = (uint32_t)rig_jiffies() - 2 * rig_hz();
	state_write_frag(&key, &frag);
}

#define TWO_CLIENTS                                                                          \
	{ FROM_TUNNEL, udp("phone", 20000, "host", 53),                                      \
	  resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },            \
	{                                                                                    \
		FROM_TUNNEL, udp("tablet", 20001, "host", 53),                               \
			resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 2 \
	}

static const struct row rows[] = {
	{ .name = "two_clients_may_use_one_identification",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TWO_CLIENTS,
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, FIRST),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63, FIRST)),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("tablet", 20001, "host", 53, LONG, PIECE(0, 96)),
		    sends(LAN0, "host",
			  udp("lan", 20001, "host", 53, .ttl = 63, LONG, PIECE(0, 96))),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63, MIDDLE)),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("tablet", 20001, "host", 53, LAST),
		    sends(LAN0, "host", udp("lan", 20001, "host", 53, .ttl = 63, LAST)),
		    .flows = 2 },
	  } },
	/* whoever sends from there is several hosts himself, say behind another NAT */
	{ .name = "one_identification_for_two_clients_is_not_guessed",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TWO_CLIENTS,
		  { FROM_LAN, udp("host", 53, "lan", 20000, FIRST),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63, FIRST)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20001, FIRST),
		    tunnels(udp("host", 53, "tablet", 20001, .ttl = 63, FIRST)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20000, MIDDLE), drops(frag_unknown),
		    .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20001, MIDDLE), drops(frag_unknown),
		    .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20001, FIRST),
		    tunnels(udp("host", 53, "tablet", 20001, .ttl = 63, FIRST)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20001, LAST), drops(frag_unknown),
		    .flows = 2 },
	  } },
	{ .name = "nor_is_it_guessed_when_one_flow_has_just_ended",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TWO_CLIENTS,
		  { FROM_LAN, udp("host", 53, "lan", 20000, FIRST),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63, FIRST)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20001, FIRST),
		    tunnels(udp("host", 53, "tablet", 20001, .ttl = 63, FIRST)), .flows = 1,
		    .before = end_the_flow },
		  { FROM_LAN, udp("host", 53, "lan", 20001, LAST), drops(frag_unknown),
		    .flows = 1 },
	  } },
	/* IPv6 has one identification for all protocols (RFC 8200 4.5) */
	{ .name = "nor_is_it_guessed_between_an_echo_and_a_datagram",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, ping("phone", "host", 20000),
		    resolves(LAN0, ping("lan", "host", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 20001, "host", 53),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, pong("host", "lan", 20000, FIRST),
		    tunnels(pong("host", "phone", 20000, .ttl = 63, FIRST)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20001, FIRST),
		    tunnels(udp("host", 53, "tablet", 20001, .ttl = 63, FIRST)), .flows = 2 },
		  { FROM_LAN, pong("host", "lan", 20000, LAST), drops(frag_unknown),
		    .flows = 2 },
	  } },
	{ .name = "an_identification_may_come_round_to_another_client",
	  .policy = OPEN_MASQ,
	  .steps = {
		  TWO_CLIENTS,
		  { FROM_LAN, udp("host", 53, "lan", 20000, FIRST),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63, FIRST)), .flows = 2 },
		  { FROM_LAN, udp("host", 53, "lan", 20001, FIRST),
		    tunnels(udp("host", 53, "tablet", 20001, .ttl = 63, FIRST)),
		    .flows = 2, .before = age_the_answers },
		  { FROM_LAN, udp("host", 53, "lan", 20001, LAST),
		    tunnels(udp("host", 53, "tablet", 20001, .ttl = 63, LAST)), .flows = 2 },
	  } },
	{ .name = "a_policy_that_still_allows_lets_the_rest_through",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, FIRST),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63, FIRST)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63, LAST)),
		    .flows = 1, .before = allow_the_same },
	  } },
	{ .name = "the_rest_ends_with_the_policy",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, FIRST),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63, FIRST)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE), drops(acl),
		    .before = allow_nothing },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST), drops(frag_unknown) },
		  { INTO_LAN_FROM_TUNNEL, udp("lan", 20000, "host", 53, .ttl = 63, LAST),
		    drops(unjudged) },
	  } },
	{ .name = "the_rest_ends_with_the_flow",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, FIRST),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63, FIRST)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE), drops(frag_unknown),
		    .before = age_the_flow },
		  /* another flow of the same addresses and ports does not take it on */
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST), drops(frag_unknown),
		    .flows = 1 },
	  } },
	{ .name = "fragments_may_take_their_time",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, FIRST),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63, FIRST)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63, MIDDLE)),
		    .flows = 1, .before = age_29_s },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST), drops(frag_unknown),
		    .flows = 1, .before = age_31_s },
	  } },
};
ROWS(rows)

static void first_one(enum family family)
{
	static const struct step step = { FROM_TUNNEL, question, resolves(LAN0, mapped) };
	struct step first = step;
	struct ports none = {};

	first.then.out.ttl = 63;
	first.flows = 1;
	row_start(OPEN_MASQ, family);
	row_step(&first, family, &none);
}

static void remembers_the_first(enum family family)
{
	struct ports none = {};
	struct tp_flow_key key;
	struct tp_flow flow = {};
	struct tp_frag frag;

	first_one(family);
	key = state_key(&question, family, &none, TP_SIDE_TUNNEL);
	REQUIRE(state_find_flow(&key, &flow));
	frag = frag_of(&question, TP_SIDE_TUNNEL);
	CHECK_INT(state_count("tp_frags"), 1);
	CHECK_INT(frag.slot, flow.slot);
	CHECK_INT(frag.slot_gen, flow.slot_gen);
	CHECK_INT(ntohs(frag.sport), 20000);
	CHECK_INT(ntohs(frag.dport), 53);
	CHECK_INT(frag.end, 48);
	CHECK_INT(frag.proto, IPPROTO_UDP);
}

TEST(a_first_fragment_is_remembered_with_its_flow_v4)
{
	remembers_the_first(V4);
}

TEST(a_first_fragment_is_remembered_with_its_flow_v6)
{
	remembers_the_first(V6);
}

static void counts_every_fragment(enum family family)
{
	static const struct step last = {
		FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST),
		sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63, LAST)), .flows = 1
	};
	size_t header = family == V4 ? 20 : 48;
	struct tp_flow_state state;
	struct ports none = {};
	struct tp_flow_key key;
	struct tp_flow flow = {};

	first_one(family);
	key = state_key(&question, family, &none, TP_SIDE_TUNNEL);
	state_age(&key, 299);
	row_step(&last, family, &none);
	REQUIRE(state_find_flow(&key, &flow));
	state = state_slot(flow.slot);
	CHECK_INT(state.way[0].packets, 2);
	CHECK_INT(state.way[0].bytes, header + 48 + header + 8);
	CHECK(rig_jiffies() - state.seen < (uint64_t)100 * rig_hz());
}

TEST(every_fragment_counts_and_keeps_the_flow_alive_v4)
{
	counts_every_fragment(V4);
}

TEST(every_fragment_counts_and_keeps_the_flow_alive_v6)
{
	counts_every_fragment(V6);
}
