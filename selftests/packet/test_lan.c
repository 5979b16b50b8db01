// SPDX-License-Identifier: GPL-2.0-only
/* From one LAN device to another: the kernel's business, or ours where a node asks for it. */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define DATA_1400 .payload = "", .payload_size = 1400

static void judges_no_more(void)
{
	rig_switch(OPEN_ROUTED);
}

static void grants_no_more(void)
{
	rig_switch(POLICY_JUDGED(NO_SNAT, GRANT("phone", "192.0.2.0/24", "*"), ""));
}

static void grants_the_same(void)
{
	rig_switch(
		POLICY_JUDGED(NO_SNAT, LAN0_TO_LAN1 ", " GRANT("phone", "192.0.2.0/24", "*"), ""));
}

static void narrow_lan1(void)
{
	world_ip("link set lan1 mtu 1300");
	rig_touch();
	rig_start(JUDGED_ROUTED);
}

static void widen_lan1(void)
{
	world_ip("link set lan1 mtu 1500");
}

static void narrow_lan0(void)
{
	world_ip("link set lan0 mtu 1300");
	rig_switch(JUDGED_MASQ);
}

static void widen_lan0(void)
{
	world_ip("link set lan0 mtu 1500");
}

static const struct packet too_big = udp("beyond", 53, "lan1", PORT_A, .frag = DF, DATA_1400);

#define answers_on_lan1                                                \
	{                                                              \
		.fate = SENT, .reason = TP_R_answered, .device = LAN1, \
		.out = {.proto = IPPROTO_ICMP,                         \
			TOO_BIG(1300),                                 \
			.src = "lan1",                                 \
			.dst = "beyond",                               \
			.quote = &too_big,                             \
			.quote_fits = true,                            \
			.tos = 0xc0,                                   \
			.frag = DF,                                    \
			.no_id = true }                                \
	}

static const struct row rows[] = {
	{ .name = "a_grant_lets_one_lan_open_to_the_other",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    resolves(LAN1, udp("host", 5000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    sends(LAN1, "beyond", udp("host", 5000, "beyond", 53, .ttl = 63)),
		    .flows = 1 },
		  /* the first answer looks its next hop up, later ones know it */
		  { FROM_LAN1, udp("beyond", 53, "host", 5000),
		    resolves(LAN0, udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "host", 5000),
		    sends(LAN0, "host", udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "what_no_grant_allows_between_lans_is_refused",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN1, udp("beyond", 53, "host", 5000), drops(acl) },
		  { FROM_LAN1, tcp(SYN, "beyond", 1, "host", 22), drops(acl) },
		  { FROM_LAN1, ping("beyond", "far", 7), drops(acl) },
		  { FROM_LAN, udp("host", 1, "away", 2), drops(acl) },
	  } },
	{ .name = "between_lans_a_connection_begins_with_syn",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, tcp(ACK, "host", 1, "beyond", 80), drops(invalid) },
		  { FROM_LAN, pong("host", "beyond", 7), drops(icmp_unrelated) },
		  { FROM_LAN, tcp(SYN, "host", 1, "beyond", 80),
		    resolves(LAN1, tcp(SYN, "host", 1, "beyond", 80, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, tcp(SYN | ACK, "beyond", 80, "host", 1),
		    resolves(LAN0, tcp(SYN | ACK, "beyond", 80, "host", 1, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, tcp(ACK, "host", 1, "beyond", 80),
		    sends(LAN1, "beyond", tcp(ACK, "host", 1, "beyond", 80, .ttl = 63)),
		    .flows = 1 },
	  } },
	/* the tunnel's MTU is nothing to them */
	{ .name = "between_lans_the_segment_size_stays",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, tcp(SYN, "host", 1, "beyond", 80, TCP_OPTIONS("\2\4\5\xb4")),
		    resolves(LAN1, tcp(SYN, "host", 1, "beyond", 80, TCP_OPTIONS("\2\4\5\xb4"),
				       .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "between_lans_the_route_translates",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    resolves(LAN1, udp("lan1", PORT_A, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    sends(LAN1, "beyond", udp("lan1", PORT_A, "beyond", 53, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", PORT_A),
		    resolves(LAN0, udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", PORT_A),
		    sends(LAN0, "host", udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
		  /* the router's own address is not judged */
		  { FROM_LAN1, udp("beyond", 53, "lan1", 22), passes(not_ours), .flows = 1 },
	  } },
	/* told to our own address: the first before any answer, so that its way is not known yet */
	{ .name = "between_lans_errors_about_what_was_translated_come_home",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1,
		    error(UNREACHABLE, "beyond", "lan1", udp("lan1", 20000, "beyond", 53)),
		    resolves(LAN0, error(UNREACHABLE, "beyond", "host",
					 udp("host", 20000, "beyond", 53), .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", 20000),
		    resolves(LAN0, udp("beyond", 53, "host", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1,
		    error(TOO_BIG(1300), "beyond", "lan1", udp("lan1", 20000, "beyond", 53)),
		    sends(LAN0, "host", error(TOO_BIG(1300), "beyond", "host",
					      udp("host", 20000, "beyond", 53), .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN1,
		    error(TIME_EXCEEDED, "beyond", "lan1", udp("lan1", 20000, "beyond", 53)),
		    resolves(LAN0, error(TIME_EXCEEDED, "beyond", "host",
					 udp("host", 20000, "beyond", 53), .ttl = 63)),
		    .flows = 1, .before = state_make_stale },
	  } },
	{ .name = "between_lans_errors_about_answers_are_translated",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "beyond", udp("beyond", 53, "host", 20000)),
		    sends(LAN1, "beyond", error(UNREACHABLE, "lan1", "beyond",
						udp("beyond", 53, "lan1", 20000), .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "beyond", udp("beyond", 53, "host", 20000)),
		    resolves(LAN1, error(UNREACHABLE, "lan1", "beyond",
					 udp("beyond", 53, "lan1", 20000), .ttl = 63)),
		    .flows = 1, .before = state_make_stale },
	  } },
	{ .name = "between_lans_errors_are_routed_without_translation",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("host", 20000, "beyond", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1,
		    error(UNREACHABLE, "beyond", "host", udp("host", 20000, "beyond", 53)),
		    resolves(LAN0, error(UNREACHABLE, "beyond", "host",
					 udp("host", 20000, "beyond", 53), .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "between_lans_the_first_answer_may_be_too_big",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "beyond", 53),
		    resolves(LAN1, udp("lan1", PORT_A, "beyond", 53, .ttl = 63)), .flows = 1,
		    .before = narrow_lan0 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", PORT_A, .frag = DF, DATA_1400),
		    answers_on_lan1, .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", PORT_A),
		    sends(LAN0, "host", udp("beyond", 53, "host", 5000, .ttl = 63)), .flows = 1 },
	  },
	  .after = widen_lan0 },
	{ .name = "what_is_no_advertised_route_stays_the_stacks",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "elsewhere", 2), passes(not_ours) },
		  { FROM_LAN1, tcp(ACK, "beyond", 1, "elsewhere", 2), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "lan", 22), passes(not_ours) },
		  { FROM_LAN1, udp("beyond", 1, "lan", 22), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "elsewhere", 2, .cut = 4), passes(not_ours) },
	  } },
	{ .name = "what_is_wrong_between_lans_is_refused_where_it_is_judged",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "beyond", 2, .cut = 4), drops(malformed) },
		  { FROM_LAN, udp("beyond", 1, "beyond", 1), drops(martian) },
		  { FROM_LAN, udp("phone", 1, "beyond", 2), drops(spoof) },
		  { FROM_LAN, udp("lan", 1, "beyond", 2), drops(spoof) },
		  { FROM_LAN, udp("lan1", 1, "beyond", 2), drops(spoof) },
	  } },
	{ .name = "the_machines_own_address_is_no_source",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("lan", 1, "phone", 2), drops(spoof) },
		  { FROM_LAN, udp("lan", 1, "elsewhere", 2), passes(not_ours) },
	  } },
	{ .name = "without_judging_lans_are_the_stacks",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "beyond", 2), passes(not_ours) },
		  { FROM_LAN1, udp("beyond", 1, "host", 2), passes(not_ours) },
	  } },
	{ .name = "a_flow_between_lans_is_judged_again",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "beyond", 2),
		    resolves(LAN1, udp("host", 1, "beyond", 2, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 2, "host", 1),
		    resolves(LAN0, udp("beyond", 2, "host", 1, .ttl = 63)),
		    .flows = 1, .before = grants_the_same },
		  { FROM_LAN, udp("host", 1, "beyond", 2),
		    sends(LAN1, "beyond", udp("host", 1, "beyond", 2, .ttl = 63)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 2, "host", 1), drops(acl), .before = grants_no_more },
		  { FROM_LAN, udp("host", 1, "beyond", 2), drops(acl) },
	  } },
	{ .name = "a_flow_between_lans_goes_back_to_the_stack",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "beyond", 2),
		    resolves(LAN1, udp("host", 1, "beyond", 2, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 1, "beyond", 2), passes(not_ours),
		    .before = judges_no_more },
		  { FROM_LAN1, udp("beyond", 2, "host", 1), passes(not_ours) },
	  } },
	{ .name = "between_lans_the_stack_answers_for_size_and_ttl",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "beyond", 2, DATA_1400, .frag = DF),
		    passes(too_big), .before = narrow_lan1 },
		  { FROM_LAN, udp("host", 1, "beyond", 2, .ttl = 1), passes(ttl_exceeded) },
	  },
	  .after = widen_lan1 },
};
ROWS(rows)
