// SPDX-License-Identifier: GPL-2.0-only
/* Known flows between LANs, from wire to wire; what they need tc for passes as it came. */
#include <linux/bpf.h>
#include <string.h>

#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

static void both_native(void)
{
	rig_note_native(true, true);
}

static void lan0_native(void)
{
	rig_note_native(true, false);
}

static void none_native(void)
{
	rig_note_native(false, false);
}

static void forget(const char *src, uint16_t sport, const char *dst, uint16_t dport,
		   uint32_t seconds)
{
	const struct packet packet = udp(src, sport, dst, dport);
	const struct ports none = {};
	struct tp_flow_key key = state_key(&packet, row_family(), &none, TP_SIDE_LAN);
	struct tp_flow flow;

	if (!CHECK(state_find_flow(&key, &flow)))
		return;
	flow.checked -= seconds * rig_hz();
	state_write_flow(&key, &flow);
}

static void next_hop_grows_old(void)
{
	forget("host", 5000, "beyond", 53, 2);
}

static void flow_expires(void)
{
	const struct packet packet = udp("host", 5000, "beyond", 53);
	const struct ports none = {};
	struct tp_flow_key key = state_key(&packet, row_family(), &none, TP_SIDE_LAN);

	state_age(&key, 400);
}

static void policy_changes(void)
{
	rig_switch(
		POLICY_JUDGED(NO_SNAT, LAN0_TO_LAN1 ", " GRANT("phone", "192.0.2.0/24", "*"), ""));
}

/* A flow from host to beyond that both directions of have been through tc: all is known. */
#define OPENED                                                                                 \
	{ FROM_LAN, udp("host", 5000, "beyond", 53),                                           \
	  resolves(LAN1, udp("host", 5000, "beyond", 53, .ttl = 63)), .flows = 1,              \
	  .before = both_native },                                                             \
	{                                                                                      \
		FROM_LAN1, udp("beyond", 53, "host", 5000),                                    \
			resolves(LAN0, udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 \
	}
#define PASSES passes(none), .flows = 1

static const struct row rows[] = {
	{ .name = "sends_a_known_flow_from_wire_to_wire",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  OPENED,
		  { FROM_WIRE, udp("host", 5000, "beyond", 53),
		    sends(LAN1, "beyond", udp("host", 5000, "beyond", 53, .ttl = 63)),
		    .flows = 1 },
		  { FROM_WIRE1, udp("beyond", 53, "host", 5000),
		    sends(LAN0, "host", udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .tos = 0xbb, .ttl = 2,
				   .udp_unsummed = true),
		    sends(LAN1, "beyond", udp("host", 5000, "beyond", 53, .tos = 0xbb, .ttl = 1,
					      .udp_unsummed = true)),
		    .flows = 1 },
	  },
	  .after = none_native },
	{ .name = "translates_from_wire_to_wire",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    resolves(LAN1, udp("lan1", PORT_A, "beyond", 53, .ttl = 63)), .flows = 1,
		    .before = both_native },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53),
		    sends(LAN1, "beyond", udp("lan1", PORT_A, "beyond", 53, .ttl = 63)),
		    .flows = 1 },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .udp_unsummed = true),
		    sends(LAN1, "beyond", udp("lan1", PORT_A, "beyond", 53, .ttl = 63,
					      .udp_unsummed = true)),
		    .flows = 1 },
		  /* an odd length, and a wire that pads */
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .payload = "odd"),
		    sends(LAN1, "beyond", udp("lan1", PORT_A, "beyond", 53, .ttl = 63,
					      .payload = "odd")),
		    .flows = 1 },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .trailer = 5),
		    sends(LAN1, "beyond", udp("lan1", PORT_A, "beyond", 53, .ttl = 63,
					      .trailer = 5)),
		    .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", PORT_A),
		    resolves(LAN0, udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE1, udp("beyond", 53, "lan1", PORT_A),
		    sends(LAN0, "host", udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
	  },
	  .after = none_native },
	{ .name = "translates_tcp_from_wire_to_wire",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, tcp(SYN, "host", 5000, "beyond", 80),
		    resolves(LAN1, tcp(SYN, "lan1", PORT_A, "beyond", 80, .ttl = 63)), .flows = 1,
		    .before = both_native },
		  /* what opens a connection is for tc to see */
		  { FROM_WIRE, tcp(SYN, "host", 5000, "beyond", 80), PASSES },
		  { FROM_LAN1, tcp(SYN | ACK, "beyond", 80, "lan1", PORT_A),
		    resolves(LAN0, tcp(SYN | ACK, "beyond", 80, "host", 5000, .ttl = 63)),
		    .flows = 1 },
		  { FROM_WIRE, tcp(ACK, "host", 5000, "beyond", 80),
		    sends(LAN1, "beyond", tcp(ACK, "lan1", PORT_A, "beyond", 80, .ttl = 63)),
		    .flows = 1 },
		  { FROM_WIRE1, tcp(ACK, "beyond", 80, "lan1", PORT_A),
		    sends(LAN0, "host", tcp(ACK, "beyond", 80, "host", 5000, .ttl = 63)),
		    .flows = 1 },
	  },
	  .after = none_native },
	{ .name = "translates_echoes_from_wire_to_wire",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, ping("host", "beyond", 7),
		    resolves(LAN1, ping("lan1", "beyond", PORT_A, .ttl = 63)), .flows = 1,
		    .before = both_native },
		  { FROM_WIRE, ping("host", "beyond", 7),
		    sends(LAN1, "beyond", ping("lan1", "beyond", PORT_A, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN1, pong("beyond", "lan1", PORT_A),
		    resolves(LAN0, pong("beyond", "host", 7, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE1, pong("beyond", "lan1", PORT_A),
		    sends(LAN0, "host", pong("beyond", "host", 7, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE1, pong("beyond", "lan1", 8), PASSES },
		  { FROM_WIRE1, ip(IPPROTO_ICMP, "beyond", "lan1", .icmp4 = { 3, 3 },
				   .icmp6 = { 1, 4 }),
		    PASSES },
	  },
	  .after = none_native },
	{ .name = "what_a_known_flow_needs_help_with_is_left_to_tc",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  OPENED,
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .ttl = 1), PASSES },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .ttl = TTL_ZERO), PASSES },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .payload = "",
				   .payload_size = 1500),
		    PASSES },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53), PASSES,
		    .before = next_hop_grows_old },
		  /* tc looks it up, and then it is known again */
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    resolves(LAN1, udp("host", 5000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53),
		    sends(LAN1, "beyond", udp("host", 5000, "beyond", 53, .ttl = 63)),
		    .flows = 1 },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53), PASSES, .before = policy_changes },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53), PASSES, .before = flow_expires },
	  },
	  .after = none_native },
	{ .name = "options_and_fragments_of_a_known_flow_are_left_to_tc",
	  .policy = JUDGED_ROUTED,
	  .only = V4,
	  .steps = {
		  OPENED,
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, V4_OPTIONS("\1\1\1\0")), PASSES },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, FIRST), PASSES },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, LAST), PASSES },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .frag = DF),
		    sends(LAN1, "beyond", udp("host", 5000, "beyond", 53, .frag = DF, .ttl = 63)),
		    .flows = 1 },
	  },
	  .after = none_native },
	{ .name = "fragments_of_a_known_flow_are_left_to_tc",
	  .policy = JUDGED_ROUTED,
	  .only = V6,
	  .steps = {
		  OPENED,
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, FIRST), PASSES },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, LAST), PASSES },
		  /* one that is the whole is none (RFC 6946) */
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, .atomic = true),
		    sends(LAN1, "beyond",
			  udp("host", 5000, "beyond", 53, .ttl = 63, .atomic = true)),
		    .flows = 1 },
		  /* other extension headers are no hindrance */
		  { FROM_WIRE, udp("host", 5000, "beyond", 53, EXT(60, "\x11\0\1\4\0\0\0\0")),
		    sends(LAN1, "beyond",
			  udp("host", 5000, "beyond", 53, EXT(60, "\x11\0\1\4\0\0\0\0"),
			      .ttl = 63)),
		    .flows = 1 },
	  },
	  .after = none_native },
	{ .name = "where_no_driver_runs_it_nothing_is_rewritten",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  OPENED,
		  { FROM_WIRE, udp("host", 5000, "beyond", 53), PASSES, .before = none_native },
	  },
	  .after = none_native },
	{ .name = "a_device_without_it_is_sent_nothing",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    resolves(LAN1, udp("host", 5000, "beyond", 53, .ttl = 63)), .flows = 1,
		    .before = lan0_native },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53), PASSES },
	  },
	  .after = none_native },
	{ .name = "a_policy_may_insist_on_generic_mode",
	  .policy = JUDGED_GENERIC,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    resolves(LAN1, udp("host", 5000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE, udp("host", 5000, "beyond", 53),
		    sends(LAN1, "beyond", udp("host", 5000, "beyond", 53, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "flows_of_the_mesh_are_left_to_tc",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 1,
		    .before = both_native },
		  { FROM_WIRE, udp("host", 53, "lan", PORT_A), PASSES },
		  { FROM_LAN, udp("host", 53, "lan", PORT_A),
		    tunnels(udp("host", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE, udp("host", 53, "lan", PORT_A), PASSES },
	  },
	  .after = none_native },
	{ .name = "generic_mode_leaves_flows_of_the_mesh_to_tc",
	  .policy = "{" POLICY_MEMBERS_WITH(", \"xdp\": \"generic\"") NO_SNAT POLICY_GRANTS(
		  GRANT_ALL) "}",
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_WIRE, udp("host", 53, "phone", 5000), PASSES },
	  } },
	{ .name = "flows_that_end_here_are_left_to_tc",
	  .policy = POLICY(NO_SNAT, GRANT("192.0.2.0/24", "gw", "*") ", "
				    GRANT("2001:db8:30::/64", "gw", "*"), ""),
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "self", 53), passes(deliver), .flows = 1,
		    .before = both_native },
		  { FROM_WIRE, udp("host", 5000, "self", 53), PASSES },
	  },
	  .after = none_native },
	{ .name = "a_new_flow_is_for_tc_to_judge",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "beyond", 2), passes(none) },
		  { FROM_WIRE, tcp(SYN, "host", 1, "phone", 2), passes(none) },
		  { FROM_WIRE1, udp("beyond", 1, "host", 2), passes(none) },
		  { FROM_WIRE, tcp(ACK, "host", 1, "phone", 2), passes(none) },
		  { FROM_WIRE, ip(47, "host", "phone"), passes(none) },
	  } },
	{ .name = "a_known_flow_in_frames_for_others_is_left_alone",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  OPENED,
		  { FROM_WIRE_AS_OTHER, udp("host", 5000, "beyond", 53), PASSES },
		  { FROM_WIRE_AS_BROADCAST, udp("host", 5000, "beyond", 53), PASSES },
		  { FROM_WIRE_OTHER, udp("host", 5000, "beyond", 53), PASSES },
	  },
	  .after = none_native },
};
ROWS(rows)

/* A packet that both count: once by the flow, its rule and its route. */
TEST(xdp_counts_a_flow_like_tc)
{
	const struct packet packet = udp("host", 5000, "beyond", 53);
	struct tp_flow_key key;
	struct ports none = {};
	struct tp_flow_state state;
	struct tp_flow flow;
	struct tp_counter rule;
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	size_t size;

	rig_touch();
	rig_start(JUDGED_GENERIC);
	size = row_frame(FROM_LAN, &packet, V4, &none, frame);
	rig_run(FROM_LAN, frame, size, &run);
	rig_run(FROM_WIRE, frame, size, &run);
	CHECK_INT(run.retval, XDP_REDIRECT);

	key = state_key(&packet, V4, &none, TP_SIDE_LAN);
	if (!CHECK(state_find_flow(&key, &flow)))
		return;
	state = state_slot(flow.slot);
	CHECK_INT(state.way[0].packets, 2);
	CHECK_INT(state.way[0].bytes, 2 * (size - ETHERNET));
	rule = state_rule_counter(rig_generation(), rig_rule(0));
	CHECK_INT(rule.packets, 2);
	CHECK_INT(rule.bytes, 2 * (size - ETHERNET));
}
