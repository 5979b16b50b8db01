// SPDX-License-Identifier: GPL-2.0-only
/* The program on the way out: nothing of the mesh leaves or enters it unjudged. */
#include <string.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define FROM_POD(what) GRANT("10.77.0.0/24", "phone", what) ", " GRANT("fd77::/64", "phone", what)

/* The pod's network may reach port 7 of the phone. */
#define POD_RULES POLICY(NO_SNAT, FROM_POD("7") ", " FROM_POD("icmp:*"), "")

static void allow_nothing(void)
{
	rig_switch(POLICY(NO_SNAT, "", ""));
}

static const struct row rows[] = {
	{ .name = "own_traffic_leaves_and_its_answers_come_in",
	  .policy = POLICY(NO_SNAT, "", ""),
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 53, "self", 5000), drops(acl) },
		  { INTO_TUNNEL_OWN, udp("self", 5000, "phone", 53), passes(own), .flows = 1 },
		  { INTO_TUNNEL_OWN, udp("self", 5000, "phone", 53), passes(judged),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 53, "self", 5000), passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 54, "self", 5000), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 53, "self", 5000), drops(acl), .flows = 1 },
	  } },
	{ .name = "own_flows_outlive_a_change_of_policy",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, tcp(SYN, "self", 5000, "remote", 22), passes(own),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(SYN | ACK, "remote", 22, "self", 5000), passes(deliver),
		    .flows = 1, .before = allow_nothing },
	  } },
	{ .name = "an_own_server_does_not_keep_a_refused_client",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "self", 22), passes(deliver),
		    .flows = 1 },
		  { INTO_TUNNEL_OWN, tcp(SYN | ACK, "self", 22, "phone", 5000), passes(judged),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "self", 22), drops(acl),
		    .before = allow_nothing },
		  { INTO_TUNNEL_OWN, tcp(ACK, "self", 22, "phone", 5000), passes(own) },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "self", 22), drops(acl) },
	  } },
	{ .name = "an_own_server_keeps_an_allowed_client_whose_flow_is_gone",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, tcp(ACK, "self", 22, "phone", 5000), passes(own),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "self", 22), passes(deliver),
		    .flows = 1 },
	  } },
	{ .name = "own_echoes_are_answered",
	  .policy = POLICY(NO_SNAT, "", ""),
	  .steps = {
		  { INTO_TUNNEL_OWN, ping("self", "phone", 9), passes(own), .flows = 1 },
		  { FROM_TUNNEL, pong("phone", "self", 9), passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, pong("phone", "self", 8), drops(acl), .flows = 1 },
		  { FROM_TUNNEL, ping("phone", "self", 8), drops(acl), .flows = 1 },
	  } },
	{ .name = "own_errors_and_strange_destinations_make_no_flow",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN,
		    ip(IPPROTO_ICMP, "self", "phone", .icmp4 = { 3, 3 }, .icmp6 = { 1, 4 }),
		    passes(own) },
		  { INTO_TUNNEL_OWN, pong("self", "phone", 9), passes(own) },
		  { INTO_TUNNEL_OWN, udp("self", 1, "elsewhere", 2), passes(own) },
		  { INTO_TUNNEL_OWN, udp("self", 1, "nobody", 2), passes(own) },
		  { INTO_TUNNEL_OWN, udp("self", 1, "phone", 2, .cut = 1), passes(own) },
	  } },
	{ .name = "own_answers_are_judged_by_the_question",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "self", 22), passes(deliver),
		    .flows = 1 },
		  { INTO_TUNNEL_OWN, tcp(SYN | ACK, "self", 22, "phone", 5000), passes(judged),
		    .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "self", 22), passes(deliver),
		    .flows = 1 },
	  } },
	{ .name = "multicast_into_the_tunnel_is_the_stacks",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { INTO_TUNNEL_OWN, udp("self", 5353, "224.0.0.251", 5353),
		    passes(local_scope) },
	  } },
	{ .name = "multicast_into_the_tunnel_is_the_stacks",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { INTO_TUNNEL_OWN, udp("self", 5353, "ff02::fb", 5353), passes(local_scope) },
	  } },
	{ .name = "redirected_packets_are_not_judged_twice",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL, udp("lan", PORT_A, "host", 53, .ttl = 63),
		    passes(judged), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", PORT_A),
		    tunnels(udp("host", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN, udp("host", 53, "phone", 5000, .ttl = 63),
		    passes(judged), .flows = 1 },
	  } },
	{ .name = "a_client_address_does_not_leave_by_the_lan_untranslated",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("lan", PORT_A, "host", 53, .ttl = 63)), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL, udp("phone", 5000, "host", 54, .ttl = 63),
		    drops(unjudged), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL, udp("tablet", 5000, "host", 53, .ttl = 63),
		    drops(unjudged), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL, ip(47, "phone", "host", .ttl = 63), drops(unjudged),
		    .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL,
		    ip(IPPROTO_ICMP, "phone", "host", .icmp4 = { 3, 4 }, .icmp6 = { 2, 0 }),
		    drops(unjudged), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL, udp("phone", 5000, "host", 53, .cut = 3),
		    drops(unjudged), .flows = 1 },
	  } },
	{ .name = "fragments_of_a_client_do_not_leave_by_the_lan",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  { INTO_LAN_FROM_TUNNEL, udp("phone", 5000, "host", 53, .frag = 0x2000),
		    drops(unjudged) },
		  { INTO_LAN_FROM_TUNNEL, udp("phone", 5000, "host", 53, .frag = 0x0010),
		    drops(unjudged) },
	  } },
	{ .name = "fragments_of_a_client_do_not_leave_by_the_lan",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { INTO_LAN_FROM_TUNNEL,
		    udp("phone", 5000, "host", 53, .payload_size = 96, PIECE(0, 48)),
		    drops(unjudged) },
		  { INTO_LAN_FROM_TUNNEL,
		    udp("phone", 5000, "host", 53, .payload_size = 96, PIECE(48, 0)),
		    drops(unjudged) },
	  } },
	{ .name = "link_local_destinations_are_not_reached_through_the_stack",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  { INTO_LAN_FROM_TUNNEL, tcp(SYN, "phone", 5000, "169.254.169.254", 80),
		    drops(unjudged) },
	  } },
	{ .name = "link_local_destinations_are_not_reached_through_the_stack",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { INTO_LAN_FROM_TUNNEL, tcp(SYN, "phone", 5000, "fe80::a9fe", 80),
		    drops(unjudged) },
	  } },
	{ .name = "other_traffic_of_the_lan_device_is_not_ours",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { INTO_LAN_OWN, udp("lan", 5000, "host", 53), passes(not_ours) },
		  { INTO_LAN_OWN, udp("self", 5000, "host", 53), passes(not_ours) },
		  { INTO_LAN_FROM_OTHER, udp("away", 5000, "host", 53), passes(not_ours) },
		  { INTO_LAN_FROM_OTHER, udp("away", 5000, "host", 53, .cut = 3),
		    passes(not_ours) },
	  } },
	{ .name = "a_pod_is_judged_at_the_tunnel",
	  .policy = POD_RULES,
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 8), drops(acl) },
		  { INTO_TUNNEL_FROM_OTHER, tcp(ACK, "away", 5000, "phone", 7),
		    drops(invalid) },
		  { INTO_TUNNEL_FROM_OTHER, pong("away", "phone", 7), drops(icmp_unrelated) },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), passes(judged),
		    .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), passes(judged),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 7, "away", 5000), passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 8, "away", 5000), drops(acl), .flows = 1 },
	  } },
	{ .name = "a_pods_flow_ends_with_its_rule",
	  .policy = POD_RULES,
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), passes(judged),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 7, "away", 5000), drops(acl),
		    .before = allow_nothing },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), drops(acl) },
	  } },
	{ .name = "a_pods_stream_ends_with_its_rule_also_on_the_way_out",
	  .policy = POD_RULES,
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), passes(judged),
		    .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), drops(acl),
		    .before = allow_nothing },
	  } },
	{ .name = "a_pod_may_not_pretend_to_be_a_member",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("tablet", 5000, "phone", 7), drops(spoof) },
		  { INTO_TUNNEL_FROM_OTHER, udp("remote", 5000, "phone", 7), drops(spoof) },
	  } },
	{ .name = "drops_what_is_foreign_and_not_for_the_mesh",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 1, "elsewhere", 7), drops(unjudged) },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 1, "phone", 7, .cut = 1),
		    drops(unjudged) },
	  } },
};
ROWS(rows)

/* The answers leave by the LAN, where no program counts them: its own ACK must do. */
TEST(a_lan_hosts_connection_to_this_node_is_established_by_its_ack)
{
	static const struct step steps[] = {
		{ FROM_LAN, tcp(SYN, "host", 5000, "self", 22), passes(deliver), .flows = 1 },
		{ FROM_LAN, tcp(ACK, "host", 5000, "self", 22), passes(deliver), .flows = 1 },
	};
	struct ports none = {};
	struct tp_flow_key key = state_key(&steps[0].in, V4, &none, TP_SIDE_LAN);
	struct tp_flow flow = {};

	row_start(OPEN_ROUTED, V4);
	row_step(&steps[0], V4, &none);
	row_step(&steps[1], V4, &none);
	REQUIRE(state_find_flow(&key, &flow));
	CHECK_INT(state_slot(flow.slot).kind, TP_FLOW_TCP_ESTABLISHED);
}

/* A packet from phone to host, as far as the egress of lan0; no flow is left behind. */
static void send_one(struct run *run)
{
	const struct packet packet = udp("phone", 1, "host", 2);
	const struct ports none = {};
	uint8_t frame[FRAME_MAX];

	rig_run(FROM_TUNNEL, frame, row_frame(FROM_TUNNEL, &packet, V4, &none, frame), run);
	CHECK_INT(run->retval, 7);
	state_forget_flows();
}

static int leave(struct run *run)
{
	uint8_t frame[FRAME_MAX];
	size_t size = run->out_size;

	memcpy(frame, run->out, size);
	rig_run(INTO_LAN_FROM_TUNNEL, frame, size, run);
	CHECK_BYTES(run->out, run->out_size, frame, size);
	return run->retval;
}

TEST(what_was_redirected_is_known_by_its_mark)
{
	struct run run = {};

	row_start(OPEN_ROUTED, V4);
	send_one(&run);
	CHECK_INT(leave(&run), -1);
	CHECK_INT(run.reasons[TP_R_judged], 1);
	CHECK_INT(run.cb[0], 0); /* not for those behind us to read */
	CHECK_INT(run.cb[1], 0);
}

TEST(another_mark_is_none)
{
	struct run run = {};

	row_start(OPEN_ROUTED, V4);
	send_one(&run);
	run.cb[1] ^= 1;
	CHECK_INT(leave(&run), 2);
	CHECK_INT(run.reasons[TP_R_unjudged], 1);
}

TEST(no_mark_is_no_mark)
{
	struct run run = {};

	row_start(OPEN_ROUTED, V4);
	send_one(&run);
	memset(run.cb, 0, sizeof(run.cb));
	CHECK_INT(leave(&run), 2);
}
