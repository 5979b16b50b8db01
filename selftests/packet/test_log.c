// SPDX-License-Identifier: GPL-2.0-only
/* `"enforce": "log"`: what the grants refuse goes on and is counted; nothing else is let through.
 */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define LOG ", \"enforce\": \"log\""
#define DNS \
	GRANT("phone", "192.0.2.0/24", "udp:53") ", " GRANT("phone", "2001:db8:30::/64", "udp:53")
#define NO_HTTP DENY("*", "192.0.2.0/24", "tcp:80") ", " DENY("*", "2001:db8:30::/64", "tcp:80")

#define LOGGED         POLICY(NO_SNAT, DNS ", " NO_HTTP, LOG)
#define LOGGED_MASQ    POLICY(MASQUERADE, DNS ", " NO_HTTP, LOG)
#define LOGGED_NOTHING POLICY(NO_SNAT, "", LOG)
#define ENFORCED       POLICY(NO_SNAT, DNS ", " NO_HTTP, "")
#define ENFORCED_MASQ  POLICY(MASQUERADE, DNS ", " NO_HTTP, "")
#define LOGGED_JUDGED  POLICY_JUDGED(NO_SNAT, LAN0_TO_LAN1, LOG)

static void enforce(void)
{
	rig_switch(ENFORCED);
}

static void enforce_masquerading(void)
{
	rig_switch(ENFORCED_MASQ);
}

static void only_log(void)
{
	rig_switch(LOGGED);
}

static void allow_by_a_grant(void)
{
	rig_switch(OPEN_ROUTED);
}

#define HTTP_GOES_OUT                                                                              \
	{                                                                                          \
		FROM_TUNNEL, tcp(SYN, "phone", 5000, "host", 80),                                  \
			resolves(LAN0, tcp(SYN, "phone", 5000, "host", 80, .ttl = 63)), .flows = 1 \
	}

static const struct row rows[] = {
	{ .name = "what_a_deny_refuses_goes_on",
	  .policy = LOGGED,
	  .steps = {
		  HTTP_GOES_OUT,
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 5000),
		    tunnels(tcp(SYN | ACK, "host", 80, "phone", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "host", 80),
		    sends(LAN0, "host", tcp(ACK, "phone", 5000, "host", 80, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "what_no_grant_allows_goes_on",
	  .policy = LOGGED_NOTHING,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 7),
		    resolves(LAN0, udp("phone", 5000, "host", 7, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 7, "phone", 5000),
		    tunnels(udp("host", 7, "phone", 5000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, ping("phone", "tablet", 9),
		    tunnels(ping("phone", "tablet", 9, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "self", 22), passes(deliver),
		    .flows = 3 },
		  { FROM_LAN, udp("host", 5000, "tablet", 7),
		    tunnels(udp("host", 5000, "tablet", 7, .ttl = 63)), .flows = 4 },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), passes(judged),
		    .flows = 5 },
		  { FROM_TUNNEL, udp("phone", 7, "away", 5000), passes(deliver), .flows = 5 },
	  } },
	{ .name = "what_is_only_logged_is_translated_like_the_rest",
	  .policy = LOGGED_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 7),
		    resolves(LAN0, udp("lan", 20000, "host", 7, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 7, "lan", 20000),
		    tunnels(udp("host", 7, "phone", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", 20000),
		    tunnels(udp("lan", 20001, "phone", 20000, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 7), drops(acl), .flows = 1,
		    .before = enforce_masquerading },
		  { FROM_TUNNEL, udp("tablet", 20001, "lan", 20000), drops(acl) },
	  } },
	{ .name = "lan_to_lan_is_only_logged_where_it_is_judged",
	  .policy = LOGGED_JUDGED,
	  .steps = {
		  { FROM_LAN1, udp("beyond", 5000, "host", 7),
		    resolves(LAN0, udp("beyond", 5000, "host", 7, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "all_but_the_grants_still_refuse",
	  .policy = LOGGED,
	  .steps = {
		  { FROM_TUNNEL, udp("elsewhere", 1, "host", 7), drops(spoof) },
		  { FROM_LAN, udp("phone", 1, "host", 7), drops(spoof) },
		  { FROM_TUNNEL, udp("expired", 1, "host", 7), drops(peer_expired) },
		  { FROM_TUNNEL, udp("phone", 1, "expired", 7), drops(peer_expired) },
		  { FROM_TUNNEL, udp("phone", 1, "elsewhere", 7), drops(no_route) },
		  { FROM_TUNNEL, tcp(ACK, "phone", 1, "host", 80), drops(invalid) },
		  { FROM_TUNNEL, pong("phone", "host", 7), drops(icmp_unrelated) },
		  { FROM_LAN, udp("host", 1, "elsewhere", 7), passes(not_ours) },
	  } },
	{ .name = "enforcing_ends_what_was_only_logged",
	  .policy = LOGGED,
	  .steps = {
		  HTTP_GOES_OUT,
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 5000), drops(acl), .flows = 1,
		    .before = enforce },
		  { FROM_TUNNEL, tcp(SYN, "phone", 5000, "host", 80), drops(acl), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "phone", 5000),
		    tunnels(udp("host", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "enforcing_ends_what_was_only_logged_at_the_tunnel",
	  .policy = LOGGED_NOTHING,
	  .steps = {
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), passes(judged),
		    .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 5000, "phone", 7), drops(acl),
		    .before = enforce },
	  } },
	{ .name = "a_grant_takes_over_what_was_only_logged",
	  .policy = LOGGED,
	  .steps = {
		  HTTP_GOES_OUT,
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 5000),
		    tunnels(tcp(SYN | ACK, "host", 80, "phone", 5000, .ttl = 63)), .flows = 1,
		    .before = allow_by_a_grant },
	  } },
	{ .name = "logging_lets_a_granted_flow_go_on",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  HTTP_GOES_OUT,
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 5000),
		    tunnels(tcp(SYN | ACK, "host", 80, "phone", 5000, .ttl = 63)), .flows = 1,
		    .before = only_log },
		  { FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 5000), drops(acl),
		    .before = enforce },
	  } },
};
ROWS(rows)

static uint64_t would_refuse(void)
{
	return state_flow_counter().would_refuse;
}

static void counts_what_it_lets_go_on(enum family family)
{
	static const struct step http = {
		FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 80),
		resolves(LAN0, tcp(SYN, "phone", 1, "host", 80, .ttl = 63)), .flows = 1
	};
	static const struct step answer = {
		FROM_LAN, tcp(SYN | ACK, "host", 80, "phone", 1),
		tunnels(tcp(SYN | ACK, "host", 80, "phone", 1, .ttl = 63)), .flows = 1
	};
	static const struct step dns = { FROM_TUNNEL, udp("phone", 1, "host", 53),
					 resolves(LAN0, udp("phone", 1, "host", 53, .ttl = 63)),
					 .flows = 2 };
	static const struct step other = { FROM_TUNNEL, udp("phone", 1, "self", 7), passes(deliver),
					   .flows = 3 };
	uint32_t deny = family == V4 ? 2 : 3;
	struct ports none = {};
	uint64_t before;

	row_start(OPEN_ROUTED, family);
	row_start(LOGGED, family);
	before = would_refuse();
	row_step(&http, family, &none);
	row_step(&answer, family, &none);
	CHECK_INT(would_refuse() - before, 1);
	CHECK_INT(state_rule_counter(rig_generation(), rig_rule(deny)).packets, 1);
	row_step(&dns, family, &none);
	CHECK_INT(would_refuse() - before, 1);
	row_step(&other, family, &none);
	CHECK_INT(would_refuse() - before, 2);
	CHECK_INT(state_rule_counter(rig_generation(), rig_rule(deny)).packets, 1);
}

TEST(counts_what_it_lets_go_on_in_ipv4)
{
	counts_what_it_lets_go_on(V4);
}

TEST(counts_what_it_lets_go_on_in_ipv6)
{
	counts_what_it_lets_go_on(V6);
}

/* A new policy asks again, and would have ended the flow. */
TEST(counts_a_known_flow_once_a_policy)
{
	static const struct step packet = { FROM_LAN, udp("host", 53, "phone", 1),
					    tunnels(udp("host", 53, "phone", 1, .ttl = 63)),
					    .flows = 1 };
	static const struct step opening = { FROM_TUNNEL, udp("phone", 1, "host", 53),
					     resolves(LAN0, udp("phone", 1, "host", 53, .ttl = 63)),
					     .flows = 1 };
	struct ports none = {};
	uint64_t before;

	row_start(OPEN_ROUTED, V4);
	row_step(&opening, V4, &none);
	before = would_refuse();
	rig_switch(LOGGED_NOTHING);
	row_step(&packet, V4, &none);
	row_step(&packet, V4, &none);
	CHECK_INT(would_refuse() - before, 1);
	rig_switch(LOGGED);
	row_step(&packet, V4, &none);
	CHECK_INT(would_refuse() - before, 1);
}

TEST(counts_nothing_where_it_enforces)
{
	static const struct step http = { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 80),
					  drops(acl) };
	struct ports none = {};
	uint64_t before;

	row_start(ENFORCED, V4);
	before = would_refuse();
	row_step(&http, V4, &none);
	CHECK_INT(would_refuse() - before, 0);
}
