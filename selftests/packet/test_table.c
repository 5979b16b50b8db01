// SPDX-License-Identifier: GPL-2.0-only
/* The flow table as a whole: the sweep that cleans it, and what a full one does. */
#include <bpf/bpf.h>
#include <poll.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define SHORT_UDP POLICY(MASQUERADE, GRANT_ALL, POLICY_LIMITS("\"timeouts\": { \"udp\": 1 }"))
#define TWO_PORTS POLICY(MASQUERADE, GRANT_ALL, POLICY_LIMITS("\"snat_ports\": \"20000-20001\""))

static const struct packet question = udp("phone", 20000, "host", 53);
static const struct packet answer = udp("host", 53, "lan", 20000);

/* Whether a packet of just now is noted as the last one that found no room. */
static bool shortage_is_noted(void)
{
	struct tp_slot_cursor cursor = {};
	const uint32_t zero = 0;

	CHECK(!bpf_map_lookup_elem(rig_map("tp_slot_cursor"), &zero, &cursor));
	return cursor.refused && (uint32_t)rig_jiffies() - cursor.refused < 10 * rig_hz();
}

/* ---- one packet, and what became of it ----------------------------------------------------- */

static enum tp_reason reason_of(enum hook hook, const struct packet *packet)
{
	return row_reason(hook, packet, V4);
}

static void open_flow(const struct packet *packet)
{
	CHECK_INT(reason_of(FROM_TUNNEL, packet), TP_R_forward_neigh);
}

/* ---- the sweep, which goes a few slots on with every packet that wants a new flow --------- */

static uint32_t slot_of(const struct packet *packet)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(packet, V4, &none, TP_SIDE_TUNNEL);
	struct tp_flow flow = {};

	CHECK(state_find_flow(&key, &flow));
	return flow.slot;
}

static void age(const struct packet *packet, uint32_t seconds)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(packet, V4, &none, TP_SIDE_TUNNEL);

	state_age(&key, seconds);
}

/* One packet that wants a new flow and no NAT. */
static void sweep_some(void)
{
	static int port = 1;
	const struct packet other = udp("phone", port, "tablet", 9);

	port = port % 60000 + 1;
	reason_of(FROM_TUNNEL, &other);
}

static bool is_dead(uint32_t slot)
{
	return !(state_slot(slot).gen & 1);
}

/* Free, or in use again. */
static bool is_buried(uint32_t slot)
{
	return !is_dead(slot) || !state_slot(slot).died;
}

/* As long as it can take to go round the whole table once. */
static bool sweep_until(bool (*done)(uint32_t slot), uint32_t slot)
{
	int i;

	for (i = 0; i < RIG_FLOWS && !done(slot); i++)
		sweep_some();
	return done(slot);
}

static void expire_and_bury(const struct packet *packet)
{
	uint32_t slot = slot_of(packet);
	struct tp_flow_state state;

	age(packet, 7441);
	CHECK(sweep_until(is_dead, slot));
	state = state_slot(slot);
	state.died -= 2 * rig_hz(); /* as if that had been a while ago */
	state_write_slot(slot, &state);
	CHECK(sweep_until(is_buried, slot));
}

TEST(a_mapping_goes_with_its_last_flow_only)
{
	static const struct packet second = udp("phone", 20000, "host2", 53);

	row_start(OPEN_MASQ, V4);
	open_flow(&question);
	open_flow(&second);
	expire_and_bury(&second);
	CHECK_INT(state_nat_port(&question, V4, "lan"), 20000);
	CHECK_INT(reason_of(FROM_LAN, &answer), TP_R_forward);

	expire_and_bury(&question);
	CHECK_INT(state_nat_port(&question, V4, "lan"), 0);
	CHECK_INT(state_count("tp_nat_in"), 0);
	CHECK_INT(reason_of(FROM_LAN, &answer), TP_R_not_ours);
	CHECK_INT(state_count("tp_flows"), 2 * state_live_flows());
}

TEST(the_sweep_comes_to_old_slots_while_the_table_grows)
{
	uint32_t slot;
	int i;

	row_start(OPEN_MASQ, V4);
	open_flow(&question);
	slot = slot_of(&question);
	age(&question, 301);
	for (i = 0; i < 32; i++)
		sweep_some();
	CHECK(is_dead(slot));
}

/* Every flow has expired and no slot is free: the first refusal must already help. */
TEST(a_full_table_of_expired_flows_opens_again_at_once)
{
	struct tp_flow_state state;
	uint32_t slot;

	row_start(OPEN_MASQ, V4);
	for (slot = 0; slot < RIG_FLOWS; slot++)
		sweep_some();
	CHECK_INT(state_live_flows(), RIG_FLOWS);
	CHECK_INT(reason_of(FROM_TUNNEL, &question), TP_R_ct_full);

	for (slot = 0; slot < RIG_FLOWS; slot++) {
		state = state_slot(slot);
		state.seen = rig_jiffies() - 7441ULL * rig_hz();
		state_write_slot(slot, &state);
	}
	CHECK_INT(reason_of(FROM_TUNNEL, &question), TP_R_ct_full); /* marks many dead */
	for (slot = 0; slot < RIG_FLOWS; slot++) {
		state = state_slot(slot);
		if (state.died)
			state.died -= 2 * rig_hz();
		state_write_slot(slot, &state);
	}
	CHECK_INT(reason_of(FROM_TUNNEL, &question), TP_R_forward_neigh);
}

/* Another CPU may mark a slot by a later clock than the one that sweeps has read. */
TEST(a_slot_that_has_just_died_is_not_buried)
{
	struct tp_flow_state state;
	uint32_t slot;

	row_start(OPEN_MASQ, V4);
	open_flow(&question);
	slot = slot_of(&question);
	state = state_slot(slot);
	state.gen++;
	state.died = rig_jiffies() + 60 * rig_hz();
	state_write_slot(slot, &state);
	state_queue_dead(slot);
	CHECK(!sweep_until(is_buried, slot));
	CHECK_INT(state_slot(slot).died, state.died);
	CHECK_INT(state_nat_port(&question, V4, "lan"), 20000);
}

/* ---- in real time ---------------------------------------------------------------------------- */

/* Polls a condition for ten seconds, a moment between two looks. */
static bool comes_true(bool (*condition)(uint32_t slot), uint32_t slot)
{
	uint64_t end = rig_jiffies() + 10 * rig_hz();

	while (!condition(slot)) {
		if (rig_jiffies() > end)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

/* Our idea of jiffies may be a part of a second ahead of the kernel's: two seconds, to be sure. */
static bool is_silent_for_a_second(uint32_t slot)
{
	return rig_jiffies() > state_slot(slot).seen + 2 * rig_hz();
}

static bool is_swept(uint32_t slot)
{
	sweep_some();
	return is_buried(slot);
}

TEST(a_silent_flow_expires_and_is_swept)
{
	struct tp_flow_counter before;
	uint32_t slot;

	row_start(SHORT_UDP, V4);
	before = state_flow_counter();
	open_flow(&question);
	slot = slot_of(&question);
	CHECK(comes_true(is_silent_for_a_second, slot));
	CHECK_INT(reason_of(FROM_LAN, &answer), TP_R_not_ours);
	CHECK_INT(state_flow_counter().expired - before.expired, 1);
	CHECK_INT(state_nat_port(&question, V4, "lan"), 20000); /* not at once */
	CHECK(comes_true(is_swept, slot));
	CHECK_INT(state_nat_port(&question, V4, "lan"), 0);
	CHECK_INT(state_count("tp_nat_in"), 0);
}

/* No new flow comes about while all ports are taken, and yet they have to come back. */
TEST(taken_ports_come_back_while_all_are_taken)
{
	static const struct packet other = udp("tablet", 20001, "host", 53);
	static const struct packet late = udp("tablet", 5, "host", 53);
	struct tp_flow_state state;
	uint32_t slot;
	int tries;

	row_start(TWO_PORTS, V4);
	open_flow(&question);
	open_flow(&other);
	slot = slot_of(&question);
	CHECK(!shortage_is_noted());
	CHECK_INT(reason_of(FROM_TUNNEL, &late), TP_R_nat_full);
	CHECK(shortage_is_noted());

	age(&question, 301);
	CHECK_INT(reason_of(FROM_TUNNEL, &late), TP_R_nat_full);
	REQUIRE(is_dead(slot));
	state = state_slot(slot);
	state.died -= 2 * rig_hz();
	state_write_slot(slot, &state);
	CHECK_INT(reason_of(FROM_TUNNEL, &late), TP_R_nat_full);
	for (tries = 0; !state_nat_port(&late, V4, "lan") && tries < 4; tries++)
		reason_of(FROM_TUNNEL, &late);
	CHECK_INT(state_nat_port(&late, V4, "lan"), 20000);
}

/* ---- a full table --------------------------------------------------------------------------- */

static void fill_table(void)
{
	int port;

	for (port = 1; port <= RIG_FLOWS; port++) {
		const struct packet syn = tcp(SYN, "phone", port, "tablet", 80);

		if (reason_of(FROM_TUNNEL, &syn) == TP_R_ct_full)
			break;
	}
	CHECK_INT(state_live_flows(), RIG_FLOWS);
}

/* Flows that came less those that went: on a slow machine some are half open for too long. */
static int flows_since(struct tp_flow_counter before)
{
	struct tp_flow_counter now = state_flow_counter();

	return (int)(now.created - before.created) - (int)(now.expired - before.expired) -
	       (int)(now.evicted - before.evicted);
}

TEST(a_full_table_refuses_new_flows_and_keeps_the_old)
{
	static const struct packet late = udp("phone", 20001, "host", 53);
	static const struct packet late_to_us = udp("phone", 9, "self", 53);
	static const struct packet late_from_us = udp("self", 9, "phone", 53);
	struct tp_flow_counter before;
	enum tp_reason reason;

	row_start(OPEN_MASQ, V4);
	open_flow(&question);
	fill_table();

	before = state_flow_counter();
	CHECK_INT(reason_of(FROM_TUNNEL, &late), TP_R_ct_full);
	CHECK(shortage_is_noted());
	CHECK_INT(reason_of(FROM_TUNNEL, &late_to_us), TP_R_ct_full);
	CHECK_INT(state_flow_counter().refused - before.refused, 2);
	CHECK_INT(state_flow_counter().created - before.created, 0);
	/* the port that the refused flow had got was given back */
	CHECK_INT(state_nat_port(&late, V4, "lan"), 0);
	CHECK_INT(state_count("tp_nat_in"), 1);

	reason = reason_of(FROM_TUNNEL, &question); /* a slow machine took more than a second */
	CHECK(reason == TP_R_forward || reason == TP_R_forward_neigh);
	CHECK_INT(reason_of(FROM_LAN, &answer), TP_R_forward);
	/* this machine's own traffic goes out all the same */
	CHECK_INT(reason_of(INTO_TUNNEL_OWN, &late_from_us), TP_R_own);
	CHECK_INT(state_live_flows(), RIG_FLOWS + flows_since(before));
}

TEST(a_full_table_makes_room_when_flows_expire)
{
	static const struct packet late = udp("phone", 20001, "host", 53);

	row_start(OPEN_MASQ, V4);
	open_flow(&question);
	fill_table();
	expire_and_bury(&question); /* sweeping also makes new flows: one takes the room */
	CHECK_INT(reason_of(FROM_TUNNEL, &late), TP_R_ct_full);
	CHECK_INT(state_live_flows(), RIG_FLOWS);
	CHECK_INT(state_nat_port(&question, V4, "lan"), 0);
}

/* ---- another limit ----------------------------------------------------------------------------
 */

#define LOWER (RIG_FLOWS / 2)

static void set_limit(uint32_t flows)
{
	struct tp_limits limits = {};
	const uint32_t zero = 0;

	CHECK(!bpf_map_lookup_elem(rig_map("tp_limits"), &zero, &limits));
	limits.flows = flows;
	CHECK(!bpf_map_update_elem(rig_map("tp_limits"), &zero, &limits, BPF_ANY));
}

/* Of the flows in these slots no packet has been seen for two hours. */
static void expire_slots(uint32_t from, uint32_t to)
{
	for (; from < to; from++) {
		struct tp_flow_state state = state_slot(from);

		state.seen = rig_jiffies() - 7441ULL * rig_hz();
		state_write_slot(from, &state);
	}
}

static void age_dead_slots(void)
{
	uint32_t slot;

	for (slot = 0; slot < RIG_FLOWS; slot++) {
		struct tp_flow_state state = state_slot(slot);

		if (!state.died)
			continue;
		state.died -= 2 * rig_hz();
		state_write_slot(slot, &state);
	}
}

/* Those above it, too, are swept, and what they leave is not given away until there are fewer. */
TEST(a_lower_limit_ends_no_flow_and_lets_none_in_until_there_are_fewer)
{
	static const struct packet late = udp("phone", 20001, "host", 53);
	int i;

	row_start(OPEN_MASQ, V4);
	open_flow(&question);
	fill_table();
	set_limit(LOWER);
	CHECK_INT(reason_of(FROM_LAN, &answer), TP_R_forward);
	CHECK_INT(reason_of(FROM_TUNNEL, &late), TP_R_ct_full);
	CHECK_INT(state_live_flows(), RIG_FLOWS);

	expire_slots(LOWER - 10, RIG_FLOWS); /* ten fewer than the limit remain */
	for (i = 0; i < RIG_FLOWS && state_live_flows() >= LOWER; i++)
		sweep_some();
	CHECK_INT(state_live_flows(), LOWER - 10);
	age_dead_slots();
	for (i = 0; i < 20; i++)
		sweep_some();
	CHECK_INT(state_live_flows(), LOWER);
	CHECK_INT(reason_of(FROM_LAN, &answer), TP_R_forward);

	set_limit(RIG_FLOWS);
	open_flow(&late);
	rig_touch();
}
