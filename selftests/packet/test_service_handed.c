// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service whose backend is a local VIP, "ghost", that this machine itself announces at the
 * moment. Packets to the service are handed over with the backend for their destination; what the
 * load balancer answers becomes the service's, whichever way it comes.
 */
#include <bpf/bpf.h>
#include <stdlib.h>

#include "pieces.h"
#include "places.h"
#include "policies.h"
#include "rows.h"
#include "services.h"
#include "state.h"
#include "test.h"
#include "towpath/local_vip.h"

#define ROUTES(snat)                                                       \
	", \"routes\": { \"192.0.2.0/24\": { \"snat\": \"" snat "\", "     \
	"\"local_vips\": [\"192.0.2.90-192.0.2.99\"] }, "                  \
	"\"2001:db8:30::/64\": { \"snat\": \"" snat "\", \"local_vips\": " \
	"[\"2001:db8:30::99\"] } }"
#define BY_GHOST                                                \
	SERVED_BY("failover", "\"192.0.2.99\", \"192.0.2.10\"", \
		  "\"2001:db8:30::99\", \"2001:db8:30::10\"")
#define SERVED  POLICY(ROUTES("masquerade"), TO_SERVICE, BY_GHOST)
#define BY_HOST POLICY(ROUTES("masquerade"), TO_SERVICE, BY_HOSTS)
#define BOTH_NAMES                                        \
	POLICY(ROUTES("none"), GRANT_ALL ", " TO_SERVICE, \
	       BY_GHOST POLICY_LIMITS("\"snat_ports\": \"20001-20001\""))

/* Steps. */
#define ASKED_FROM(port, ...)                                                               \
	{                                                                                   \
		FROM_TUNNEL, udp("phone", port, "vip", 53, ##__VA_ARGS__),                  \
			hands_over(LAN0, udp("phone", port, "ghost", 5353, ##__VA_ARGS__)), \
			.flows = 1, .before = is_here                                       \
	}
#define ASKED(...) ASKED_FROM(5000, ##__VA_ARGS__)
#define ANSWERED(hook, ...)                                                                  \
	{                                                                                    \
		hook, udp("ghost", 5353, "phone", 5000, ##__VA_ARGS__),                      \
			passes_as(translated, udp("vip", 53, "phone", 5000, ##__VA_ARGS__)), \
			.flows = 1                                                           \
	}
#define CONNECTED                                                                                  \
	{ FROM_TUNNEL, tcp(SYN, "phone", 5000, "vip", 80),                                         \
	  hands_over(LAN0, tcp(SYN, "phone", 5000, "ghost", 80)), .flows = 1, .before = is_here }, \
		{ INTO_TUNNEL_FROM_OTHER, tcp(SYN | ACK, "ghost", 80, "phone", 5000),              \
		  passes_as(translated, tcp(SYN | ACK, "vip", 80, "phone", 5000)), .flows = 1 },   \
	{                                                                                          \
		FROM_TUNNEL, tcp(ACK, "phone", 5000, "vip", 80),                                   \
			hands_over(LAN0, tcp(ACK, "phone", 5000, "ghost", 80)), .flows = 1         \
	}

/* As the daemon would find out; a second has gone by. */
static void put(uint32_t where)
{
	const struct packet packet = udp("phone", 5000, "ghost", 53);
	const struct ports none = {};
	struct tp_flow_key key = state_key(&packet, row_family(), &none, TP_SIDE_TUNNEL);
	struct tp_local_vip vip = { .where = where };

	state_make_stale();
	if (bpf_map_update_elem(rig_map("tp_local_vips"), &key.dst, &vip, BPF_ANY))
		exit(2);
}

static void is_here(void)
{
	put(TP_VIP_HERE);
}

static void is_elsewhere(void)
{
	put(TP_VIP_ELSEWHERE);
}

static void ghost_dies(void)
{
	services_set_health("ghost", false);
	state_make_stale();
}

static void ghost_goes(void)
{
	rig_switch(BY_HOST);
}

static void policy_is_set_again(void)
{
	rig_switch(SERVED);
}

static const struct row rows[] = {
	{ .name = "is_handed_over_and_answers_as_the_service",
	  .policy = SERVED,
	  .steps = {
		  ASKED(.tos = 0xbb),
		  ANSWERED(INTO_TUNNEL_FROM_OTHER, .tos = 0xbb, .ttl = 63),
		  ANSWERED(INTO_TUNNEL_FROM_LAN, .payload = "odd"),
		  ANSWERED(INTO_TUNNEL_OWN, .udp_unsummed = true),
		  { FROM_LAN, udp("ghost", 5353, "phone", 5000),
		    tunnels(udp("vip", 53, "phone", 5000, .ttl = 63)), .flows = 1 },
		  ASKED(.payload = "odd"),
		  ASKED(.udp_unsummed = true),
	  } },
	{ .name = "goes_to_the_lan_until_nobody_answers_there",
	  .policy = SERVED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "ghost", 5353, .ttl = 63)), .flows = 1 },
		  ASKED_FROM(20000),
	  } },
	{ .name = "and_when_another_machine_answers_again",
	  .policy = SERVED,
	  .steps = {
		  ASKED_FROM(20000),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "ghost", 5353, .ttl = 63)), .flows = 1,
		    .before = is_elsewhere },
	  } },
	{ .name = "a_connection_is_the_services",
	  .policy = SERVED,
	  .steps = {
		  CONNECTED,
		  { INTO_TUNNEL_FROM_OTHER, tcp(FIN | ACK, "ghost", 80, "phone", 5000),
		    passes_as(translated, tcp(FIN | ACK, "vip", 80, "phone", 5000)), .flows = 1 },
		  { FROM_TUNNEL, tcp(FIN | ACK, "phone", 5000, "vip", 80),
		    hands_over(LAN0, tcp(FIN | ACK, "phone", 5000, "ghost", 80)), .flows = 1 },
	  } },
	{ .name = "a_connection_is_over_when_the_address_moves",
	  .policy = SERVED,
	  .steps = {
		  CONNECTED,
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "vip", 80),
		    resets(TUNNEL0, RST, "phone", 5000), .flows = 0, .before = is_elsewhere },
	  } },
	{ .name = "a_policy_that_says_the_same_changes_nothing",
	  .policy = SERVED,
	  .steps = {
		  CONNECTED,
		  { INTO_TUNNEL_FROM_OTHER, tcp(ACK, "ghost", 80, "phone", 5000),
		    passes_as(translated, tcp(ACK, "vip", 80, "phone", 5000)), .flows = 1,
		    .before = policy_is_set_again },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "vip", 80),
		    hands_over(LAN0, tcp(ACK, "phone", 5000, "ghost", 80)), .flows = 1 },
	  } },
	{ .name = "is_left_when_it_is_removed",
	  .policy = SERVED,
	  .steps = {
		  ASKED(),
		  { INTO_TUNNEL_FROM_OTHER, udp("ghost", 5353, "phone", 5000), drops(unjudged),
		    .flows = 0, .before = ghost_goes },
	  } },
	{ .name = "the_next_one_is_taken_when_it_is_not_healthy",
	  .policy = SERVED,
	  .steps = {
		  ASKED_FROM(20000),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63)), .flows = 1,
		    .before = ghost_dies },
	  } },
	{ .name = "errors_are_the_services_both_ways",
	  .policy = SERVED,
	  .steps = {
		  ASKED(),
		  { INTO_TUNNEL_FROM_OTHER, error(UNREACHABLE, "lan", "phone",
						  udp("phone", 5000, "ghost", 5353)),
		    passes_as(translated, error(UNREACHABLE, "vip", "phone",
						udp("phone", 5000, "vip", 53))),
		    .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER, error(UNREACHABLE, "ghost", "phone",
						  udp("phone", 5000, "ghost", 5353)),
		    passes_as(translated, error(UNREACHABLE, "vip", "phone",
						udp("phone", 5000, "vip", 53))),
		    .flows = 1 },
		  { FROM_TUNNEL, error(TOO_BIG(1300), "phone", "vip",
				       udp("vip", 53, "phone", 5000), .quote_l4 = 8),
		    hands_over(LAN0, error(TOO_BIG(1300), "phone", "ghost",
					   udp("ghost", 5353, "phone", 5000), .quote_l4 = 8)),
		    .flows = 1 },
		  /* about what was never sent */
		  { INTO_TUNNEL_FROM_OTHER, error(UNREACHABLE, "lan", "phone",
						  udp("phone", 5001, "ghost", 5353)),
		    drops(spoof), .flows = 1 },
	  } },
	{ .name = "fragments_follow_their_first_one",
	  .policy = SERVED,
	  .steps = {
		  ASKED(FIRST),
		  ASKED(LAST),
		  ANSWERED(INTO_TUNNEL_FROM_OTHER, FIRST),
		  ANSWERED(INTO_TUNNEL_FROM_OTHER, LAST),
	  } },
	{ .name = "a_last_ttl_is_answered_here_for_the_stack_would_name_the_backend",
	  .policy = SERVED,
	  .steps = {
		  ASKED(.ttl = 2),
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53, .ttl = 1), drops(rewrite),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5001, "vip", 53, .ttl = 1), drops(rewrite),
		    .flows = 1 },
	  } },
	{ .name = "options_are_refused_as_to_any_backend",
	  .policy = SERVED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 0, .before = is_here },
		  ASKED(),
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 1 },
	  } },
	/* the backend, and who answers for it, are told apart by the port */
	{ .name = "one_port_reaches_it_by_both_of_its_names",
	  .policy = BOTH_NAMES,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 5353),
		    hands_over(LAN0, udp("phone", 5000, "ghost", 5353)), .flows = 1,
		    .before = is_here },
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53),
		    hands_over(LAN0, udp("phone", 20001, "ghost", 5353)), .flows = 2 },
		  { INTO_TUNNEL_FROM_OTHER, udp("ghost", 5353, "phone", 20001),
		    passes_as(translated, udp("vip", 53, "phone", 5000)), .flows = 2 },
		  { INTO_TUNNEL_FROM_OTHER, udp("ghost", 5353, "phone", 5000), passes(judged),
		    .flows = 2 },
	  } },
	{ .name = "what_goes_to_the_service_first_keeps_its_port",
	  .policy = BOTH_NAMES,
	  .steps = {
		  ASKED(),
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 5353), drops(clash), .flows = 1 },
		  ANSWERED(INTO_TUNNEL_FROM_OTHER),
	  } },
	{ .name = "a_lan_host_cannot_be_served_by_it",
	  .policy = SERVED,
	  .steps = {
		  { FROM_LAN, udp("host2", 20000, "vip", 53), drops(no_route), .flows = 0,
		    .before = is_here },
		  { FROM_LAN, udp("host2", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "ghost", 5353, .ttl = 63)), .flows = 1,
		    .before = is_elsewhere },
		  { FROM_LAN, udp("host2", 20000, "vip", 53), drops(no_route), .flows = 0,
		    .before = is_here },
	  } },
	/* neither what was handed over nor a forgery of it */
	{ .name = "nobody_else_is_let_in_or_out_by_it",
	  .policy = SERVED,
	  .steps = {
		  ASKED(),
		  { FROM_LAN, udp("phone", 5000, "ghost", 5353), drops(spoof), .flows = 1 },
		  { INTO_LAN_FROM_LAN, udp("phone", 5000, "ghost", 5353, .ttl = 63),
		    drops(unjudged), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "ghost", 5353), drops(acl), .flows = 1 },
		  { INTO_TUNNEL_FROM_OTHER, udp("ghost", 5354, "phone", 5000), drops(acl),
		    .flows = 1 },
	  } },
};

ROWS(rows)
