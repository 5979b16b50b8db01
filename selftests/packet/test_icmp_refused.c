// SPDX-License-Identifier: GPL-2.0-only
/* ICMP errors that nobody asked for, that are damaged, or that end at this machine; and egress. */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define OPENED                                                                               \
	{                                                                                    \
		FROM_TUNNEL, udp("phone", 20000, "host", 53),                                \
			resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 \
	}
#define OPENED_ROUTED                                                                         \
	{                                                                                     \
		FROM_TUNNEL, udp("phone", 5000, "host", 53),                                  \
			resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 63)), .flows = 1 \
	}
#define TO_LAN_ROUTED   udp("phone", 5000, "host", 53)
#define REDIRECT        .icmp4 = { 5 }, .icmp6 = { 137 }
#define OBSOLETE        .icmp4 = { 4 }, .icmp6 = { 100 } /* source quench, private */
#define TO_PHONE        udp("host", 53, "phone", 5000)
#define NOTHING_GRANTED POLICY(NO_SNAT, GRANT("tablet", "192.0.2.0/24", "tcp:1"), "")
#define STILL_GRANTED                                                                            \
	POLICY(NO_SNAT,                                                                          \
	       GRANT("phone", "192.0.2.0/24", "*") ", " GRANT("phone", "2001:db8:30::/64", "*"), \
	       "")

static void nothing_is_granted(void)
{
	rig_switch(NOTHING_GRANTED);
}

static void it_is_still_granted(void)
{
	rig_switch(STILL_GRANTED);
}

static void five_minutes_pass(void)
{
	struct packet first = TO_LAN_ROUTED;
	struct tp_flow_key key = state_key(&first, row_family(), &(struct ports){}, TP_SIDE_TUNNEL);

	state_age(&key, 302);
}

static const struct row refused[] = {
	{ .name = "what_quotes_no_flow_is_others_business_on_a_lan",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN, error(UNREACHABLE, "host", "lan", udp("lan", 20001, "host", 53)),
		    passes(not_ours), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "lan", udp("lan", 20000, "host", 54)),
		    passes(not_ours), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "lan", udp("lan", 20000, "host2", 53)),
		    passes(not_ours), .flows = 1 },
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan", tcp(SYN, "lan", 20000, "host", 53)),
		    passes(not_ours), .flows = 1 },
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan", ip(47, "lan", "host", .payload = "8 bytes!")),
		    passes(not_ours), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "host2", udp("host2", 7, "host", 53)),
		    passes(not_ours), .flows = 1 },
	  } },
	{ .name = "what_quotes_no_flow_does_not_enter_the_mesh_or_leave_it",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", udp("phone", 5001, "host", 53)),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", ip(47, "phone", "host")),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "self", udp("self", 5001, "host", 53)),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "host", udp("host", 54, "phone", 5000)),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "self", udp("self", 54, "phone", 5000)),
		    drops(icmp_unrelated), .flows = 1 },
	  } },
	/* or it would be carried to whomever its outer header names, past every grant */
	{ .name = "it_must_be_for_the_sender_of_what_it_quotes",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "host2", TO_PHONE),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "host", "tablet", TO_LAN_ROUTED),
		    drops(icmp_unrelated), .flows = 1 },
	  } },
	{ .name = "its_source_must_belong_where_it_comes_from",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_TUNNEL, error(UNREACHABLE, "nobody", "host", TO_PHONE), drops(spoof),
		    .flows = 1 },
		  { FROM_TUNNEL, error(UNREACHABLE, "host2", "host", TO_PHONE), drops(spoof),
		    .flows = 1 },
		  { FROM_TUNNEL, error(UNREACHABLE, "expired", "host", TO_PHONE),
		    drops(peer_expired), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "tablet", "phone", TO_LAN_ROUTED), drops(spoof),
		    .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "self", "phone", TO_LAN_ROUTED), drops(spoof),
		    .flows = 1 },
	  } },
	{ .name = "it_comes_from_no_martian",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_TUNNEL, error(UNREACHABLE, "127.0.0.1", "host", TO_PHONE),
		    drops(martian), .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "240.0.0.1", "phone", TO_LAN_ROUTED),
		    drops(martian), .flows = 1 },
	  } },
	{ .name = "it_comes_from_no_martian",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_TUNNEL, error(UNREACHABLE, "::1", "host", TO_PHONE), drops(martian),
		    .flows = 1 },
		  { FROM_LAN, error(UNREACHABLE, "ff0e::1", "phone", TO_LAN_ROUTED),
		    drops(martian), .flows = 1 },
	  } },
	{ .name = "a_damaged_error_is_dropped",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan", udp("lan", 20000, "host", 53),
			  .bad_l4_checksum = true),
		    drops(malformed), .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "host", udp("host", 53, "phone", 20000),
			  .bad_l4_checksum = true),
		    drops(malformed), .flows = 1 },
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan", udp("lan", 20001, "host", 53),
			  .bad_l4_checksum = true),
		    passes(not_ours), .flows = 1 },
	  } },
	{ .name = "a_damaged_header_in_the_quote_is_dropped",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  OPENED,
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan",
			  udp("lan", 20000, "host", 53, .bad_ip_checksum = true)),
		    drops(malformed), .flows = 1 },
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan",
			  udp("lan", 20000, "host", 53, .bad_ip_checksum = true,
			      V4_OPTIONS("\1\1\1\0"))),
		    drops(malformed), .flows = 1 },
	  } },
	{ .name = "no_error_is_about_an_error",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "phone",
			  error(UNREACHABLE, "phone", "host", TO_PHONE)),
		    drops(icmp_unrelated), .flows = 1 },
	  } },
	{ .name = "redirects_and_what_is_obsolete_do_not_pass",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN,
		    error(REDIRECT, "router", "phone", TO_LAN_ROUTED),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_LAN,
		    error(OBSOLETE, "router", "phone", TO_LAN_ROUTED),
		    drops(icmp_unrelated), .flows = 1 },
	  } },
	{ .name = "no_error_is_sent_about_one_whose_ttl_is_used_up",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan", udp("lan", 20000, "host", 53), .ttl = 1),
		    drops(unanswered), .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "host", udp("host", 53, "phone", 20000), .ttl = 1),
		    drops(unanswered), .flows = 1 },
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan", udp("lan", 20000, "host", 53),
			  .ttl = TTL_ZERO),
		    drops(malformed), .flows = 1 },
	  } },
	{ .name = "a_flow_that_is_granted_no_more_admits_no_error",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "host", TO_PHONE),
		    drops(icmp_unrelated), .flows = 1, .before = nothing_is_granted },
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", TO_LAN_ROUTED),
		    drops(icmp_unrelated), .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN, error(UNREACHABLE, "host", "phone", TO_LAN_ROUTED),
		    drops(acl), .flows = 1 },
	  } },
	{ .name = "a_flow_that_is_granted_by_another_policy_does",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", TO_LAN_ROUTED),
		    tunnels(error(UNREACHABLE, "host", "phone", TO_LAN_ROUTED, .ttl = 63)),
		    .flows = 1, .before = it_is_still_granted },
	  } },
	{ .name = "an_expired_flow_admits_no_error",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN, error(UNREACHABLE, "host", "phone", TO_LAN_ROUTED),
		    drops(icmp_unrelated), .flows = 1, .before = five_minutes_pass },
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "host", TO_PHONE),
		    drops(icmp_unrelated), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL, error(UNREACHABLE, "phone", "host", TO_PHONE),
		    drops(unjudged), .flows = 1 },
	  } },
	{ .name = "options_go_by_the_stack_or_not_at_all",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  OPENED_ROUTED,
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "phone", TO_LAN_ROUTED, V4_OPTIONS("\1\1\1\0")),
		    passes(ip_options), .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN,
		    error(UNREACHABLE, "host", "phone", TO_LAN_ROUTED, V4_OPTIONS("\1\1\1\0")),
		    passes(judged), .flows = 1 },
	  } },
	{ .name = "options_and_translation_do_not_go_together",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  OPENED,
		  { FROM_LAN,
		    error(UNREACHABLE, "host", "lan", udp("lan", 20000, "host", 53),
			  V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 1 },
	  } },
};
ROWS(refused)

static const struct row local[] = {
	{ .name = "this_machine_hears_of_what_a_member_opened_to_it",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "self", 53), passes(deliver), .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "self", udp("self", 53, "phone", 5000)),
		    passes(deliver), .flows = 1 },
		  { FROM_LAN, udp("host", 5000, "self", 53), passes(deliver), .flows = 2 },
		  { FROM_LAN, error(UNREACHABLE, "host", "self", udp("self", 53, "host", 5000)),
		    passes(deliver), .flows = 2 },
	  } },
	{ .name = "this_machine_hears_of_what_it_opened",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, udp("self", 5000, "phone", 53), passes(own), .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "self", udp("self", 5000, "phone", 53)),
		    passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, error(TOO_BIG(1280), "branch", "self",
				       udp("self", 5000, "phone", 53)),
		    passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, error(UNREACHABLE, "phone", "self", udp("self", 5000, "phone", 53),
				       .bad_l4_checksum = true),
		    drops(malformed), .flows = 1 },
	  } },
};
ROWS(local)

static const struct row egress[] = {
	{ .name = "an_error_about_a_flow_is_judged_on_its_way_out",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { INTO_TUNNEL_FROM_LAN,
		    error(UNREACHABLE, "host", "phone", udp("phone", 20000, "host", 53)),
		    passes(judged), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL,
		    error(UNREACHABLE, "lan", "host", udp("host", 53, "lan", 20000)),
		    passes(judged), .flows = 1 },
		  /* not as it was before its translation */
		  { INTO_LAN_FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "host", udp("host", 53, "phone", 20000)),
		    drops(unjudged), .flows = 1 },
		  { INTO_LAN_FROM_TUNNEL,
		    error(UNREACHABLE, "lan", "host2", udp("host", 53, "lan", 20000)),
		    drops(unjudged), .flows = 1 },
		  { INTO_TUNNEL_FROM_LAN,
		    error(UNREACHABLE, "host", "phone", udp("phone", 20001, "host", 53)),
		    drops(icmp_unrelated), .flows = 1 },
		  { INTO_TUNNEL_OWN,
		    error(UNREACHABLE, "self", "phone", udp("phone", 1, "self", 53)),
		    passes(own), .flows = 1 },
	  } },
	{ .name = "a_pod_tells_the_member_that_answers_it",
	  .policy = POLICY(NO_SNAT, GRANT("10.77.0.0/24", "phone", "*") ", " GRANT(
						"fd77::/64", "phone", "*"), ""),
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 53), passes(judged),
		    .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER,
		    error(UNREACHABLE, "away", "phone", udp("phone", 53, "away", 5000)),
		    passes(judged), .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER,
		    error(UNREACHABLE, "away", "phone", udp("phone", 54, "away", 5000)),
		    drops(icmp_unrelated), .flows = 1 },
		  { FROM_TUNNEL,
		    error(UNREACHABLE, "phone", "away", udp("away", 5000, "phone", 53)),
		    passes(deliver), .flows = 1 },
	  } },
};
ROWS(egress)
