// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service whose backend is this machine itself, by its mesh address or one that it has on a LAN.
 * Packets to the service are delivered here, and what the stack answers, sockets and errors alike,
 * is the service's when it has left by the tunnel.
 */
#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "services.h"
#include "state.h"
#include "test.h"

#define SERVED(v4, v6) POLICY(MASQUERADE, TO_SERVICE, SERVED_BY("failover", v4, v6))
#define BY_SELF        SERVED("\"100.64.0.1\"", "\"fd7a::1\"")
#define BY_LAN         SERVED("\"192.0.2.1\"", "\"2001:db8:30::1\"")
#define BY_APART       SERVED("\"198.18.5.1\"", "\"2001:db8:fe::1\"")
#define BY_SELF_FIRST  SERVED("\"100.64.0.1\", \"192.0.2.10\"", "\"fd7a::1\", \"2001:db8:30::10\"")
#define BY_HOST_ALONE  SERVED("\"192.0.2.10\"", "\"2001:db8:30::10\"")
#define BOTH_NAMES                                                    \
	POLICY(MASQUERADE, GRANT_ALL ", " TO_SERVICE,                 \
	       SERVED_BY("failover", "\"100.64.0.1\"", "\"fd7a::1\"") \
		       POLICY_LIMITS("\"snat_ports\": \"20001-20001\""))

/* Steps. A TTL of 1 is enough for what goes no further. */
#define ASKED_OF(own, ...)                                                                 \
	{                                                                                  \
		FROM_TUNNEL, udp("phone", 5000, "vip", 53, .ttl = 1, ##__VA_ARGS__),       \
			passes_as(deliver,                                                 \
				  udp("phone", 5000, own, 5353, .ttl = 1, ##__VA_ARGS__)), \
			.flows = 1                                                         \
	}
#define ANSWERED_BY(own, ...)                                                                \
	{                                                                                    \
		INTO_TUNNEL_OWN, udp(own, 5353, "phone", 5000, ##__VA_ARGS__),               \
			passes_as(translated, udp("vip", 53, "phone", 5000, ##__VA_ARGS__)), \
			.flows = 1                                                           \
	}
#define CONNECTED                                                                                \
	{ FROM_TUNNEL, tcp(SYN, "phone", 5000, "vip", 80),                                       \
	  passes_as(deliver, tcp(SYN, "phone", 5000, "self", 80)), .flows = 1 },                 \
		{ INTO_TUNNEL_OWN, tcp(SYN | ACK, "self", 80, "phone", 5000),                    \
		  passes_as(translated, tcp(SYN | ACK, "vip", 80, "phone", 5000)), .flows = 1 }, \
	{                                                                                        \
		FROM_TUNNEL, tcp(ACK, "phone", 5000, "vip", 80),                                 \
			passes_as(deliver, tcp(ACK, "phone", 5000, "self", 80)), .flows = 1      \
	}

static void second_look(void)
{
	state_make_stale();
}

static void self_dies(void)
{
	services_set_health("self", false);
	state_make_stale();
}

static void self_goes(void)
{
	rig_switch(BY_HOST_ALONE);
}

static const struct row rows[] = {
	{ .name = "the_mesh_address_of_this_machine_is_a_backend",
	  .policy = BY_SELF,
	  .steps = {
		  ASKED_OF("self", .tos = 0xbb),
		  ANSWERED_BY("self", .tos = 0xbb),
		  ASKED_OF("self", .payload = "odd"),
		  ANSWERED_BY("self", .payload = "odd"),
		  ASKED_OF("self", .udp_unsummed = true),
		  ANSWERED_BY("self", .udp_unsummed = true),
	  } },
	{ .name = "so_is_one_that_it_has_on_a_lan",
	  .policy = BY_LAN,
	  .steps = {
		  ASKED_OF("lan"),
		  ANSWERED_BY("lan"),
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53),
		    passes_as(deliver, udp("phone", 5000, "lan", 5353)), .flows = 1,
		    .before = second_look },
		  ASKED_OF("lan"),
		  ANSWERED_BY("lan"),
		  /* by itself nothing is granted of it */
		  { FROM_TUNNEL, udp("phone", 5001, "lan", 5353), drops(acl), .flows = 1 },
	  } },
	{ .name = "and_one_that_is_in_no_route",
	  .policy = BY_APART,
	  .steps = {
		  ASKED_OF("apart"),
		  ANSWERED_BY("apart"),
		  ASKED_OF("apart"),
		  { FROM_TUNNEL, udp("phone", 5001, "apart", 5353), drops(no_route),
		    .flows = 1 },
		  { FROM_LAN, udp("host2", 5000, "vip", 53), drops(no_route), .flows = 1 },
	  } },
	{ .name = "a_connection_to_this_machine_is_the_services",
	  .policy = BY_SELF,
	  .steps = {
		  CONNECTED,
		  { INTO_TUNNEL_OWN, tcp(FIN | ACK, "self", 80, "phone", 5000),
		    passes_as(translated, tcp(FIN | ACK, "vip", 80, "phone", 5000)), .flows = 1 },
		  { FROM_TUNNEL, tcp(FIN | ACK, "phone", 5000, "vip", 80),
		    passes_as(deliver, tcp(FIN | ACK, "phone", 5000, "self", 80)), .flows = 1 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 5001, "vip", 80),
		    resets(TUNNEL0, RST, "phone", 5001), .flows = 1 },
	  } },
	{ .name = "a_closed_port_of_this_machine_is_one_of_the_service",
	  .policy = BY_LAN,
	  .steps = {
		  ASKED_OF("lan"),
		  { INTO_TUNNEL_OWN, error(UNREACHABLE, "lan", "phone",
					   udp("phone", 5000, "lan", 5353, .ttl = 1)),
		    passes_as(translated,
			      error(UNREACHABLE, "vip", "phone",
				    udp("phone", 5000, "vip", 53, .ttl = 1))),
		    .flows = 1 },
		  /* about what was never sent it is as it was */
		  { INTO_TUNNEL_OWN, error(UNREACHABLE, "lan", "phone",
					   udp("phone", 5001, "lan", 5353, .ttl = 1)),
		    passes(own), .flows = 1 },
	  } },
	{ .name = "an_error_about_its_answer_reaches_the_socket",
	  .policy = BY_LAN,
	  .steps = {
		  ASKED_OF("lan"),
		  ANSWERED_BY("lan"),
		  { FROM_TUNNEL, error(TOO_BIG(1300), "phone", "vip",
				       udp("vip", 53, "phone", 5000), .quote_l4 = 8),
		    passes_as(deliver, error(TOO_BIG(1300), "phone", "lan",
					     udp("lan", 5353, "phone", 5000), .quote_l4 = 8)),
		    .flows = 1 },
	  } },
	{ .name = "fragments_are_delivered_and_answered",
	  .policy = BY_SELF,
	  .steps = {
		  ASKED_OF("self", FIRST),
		  ASKED_OF("self", LAST),
		  ANSWERED_BY("self", FIRST),
		  ANSWERED_BY("self", LAST),
		  { FROM_TUNNEL, udp("phone", 5001, "vip", 53, LAST, .id = 7),
		    drops(frag_unknown), .flows = 1 },
	  } },
	{ .name = "options_to_this_machine_are_refused_as_to_any_backend",
	  .policy = BY_SELF,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 0 },
		  ASKED_OF("self"),
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(nat_options), .flows = 1 },
	  } },
	/* the stack tells them apart by the port, which is another one for the second */
	{ .name = "one_port_reaches_this_machine_by_both_of_its_names",
	  .policy = BOTH_NAMES,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "self", 5353), passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "vip", 53),
		    passes_as(deliver, udp("phone", 20001, "self", 5353)), .flows = 2 },
		  { INTO_TUNNEL_OWN, udp("self", 5353, "phone", 20001),
		    passes_as(translated, udp("vip", 53, "phone", 5000)), .flows = 2 },
		  { INTO_TUNNEL_OWN, udp("self", 5353, "phone", 5000), passes(judged),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20001, "self", 5353), drops(clash), .flows = 2 },
	  } },
	{ .name = "what_goes_to_the_service_first_keeps_its_port",
	  .policy = BOTH_NAMES,
	  .steps = {
		  ASKED_OF("self"),
		  { FROM_TUNNEL, udp("phone", 5000, "self", 5353), drops(clash), .flows = 1 },
		  ANSWERED_BY("self"),
	  } },
	{ .name = "datagrams_leave_this_machine_when_it_is_not_healthy",
	  .policy = BY_SELF_FIRST,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    passes_as(deliver, udp("phone", 20000, "self", 5353)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63)), .flows = 1,
		    .before = self_dies },
	  } },
	{ .name = "connections_to_it_stay",
	  .policy = BY_SELF_FIRST,
	  .steps = {
		  CONNECTED,
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "vip", 80),
		    passes_as(deliver, tcp(ACK, "phone", 5000, "self", 80)), .flows = 1,
		    .before = self_dies },
		  { INTO_TUNNEL_OWN, tcp(ACK, "self", 80, "phone", 5000),
		    passes_as(translated, tcp(ACK, "vip", 80, "phone", 5000)), .flows = 1 },
	  } },
	{ .name = "it_is_left_when_it_is_removed",
	  .policy = BY_SELF_FIRST,
	  .steps = {
		  CONNECTED,
		  { FROM_TUNNEL, tcp(ACK, "phone", 5000, "vip", 80),
		    resets(TUNNEL0, RST, "phone", 5000), .flows = 0, .before = self_goes },
	  } },
	/* not a byte of it says that it is the service's: nothing goes out as the backend's */
	{ .name = "its_answers_end_when_it_is_removed",
	  .policy = BY_SELF_FIRST,
	  .steps = {
		  ASKED_OF("self"),
		  { INTO_TUNNEL_OWN, udp("self", 5353, "phone", 5000), drops(unjudged),
		    .flows = 0, .before = self_goes },
	  } },
	{ .name = "what_lan_hosts_ask_of_it_is_refused",
	  .policy = BY_LAN,
	  .steps = {
		  { FROM_LAN, udp("host2", 5000, "vip", 53), drops(no_route), .flows = 0 },
	  } },
};
ROWS(rows)
