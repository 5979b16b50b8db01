// SPDX-License-Identifier: GPL-2.0-only
/* When a service has no backend for a packet, or no longer the one that a flow has. */
#include <string.h>

#include "kernel/bpf_service.h"
#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "services.h"
#include "state.h"
#include "test.h"

#define OPEN_SERVICE POLICY(MASQUERADE, TO_SERVICE, BY_HOSTS TWO_PORTS)
#define ONE_LEFT                       \
	POLICY(MASQUERADE, TO_SERVICE, \
	       SERVED_BY("failover", "\"192.0.2.11\"", "\"2001:db8:30::11\"") TWO_PORTS)
/* The grants say nothing of it any more, or deny it. */
#define NOT_GRANTED POLICY(MASQUERADE, TO_LAN, BY_HOSTS TWO_PORTS)
#define DENIED                                                                           \
	POLICY(MASQUERADE,                                                               \
	       GRANT_ALL ", " TO_SERVICE                                                 \
			 ", " DENY("phone", "svc", "*") ", " DENY("phone", "svc6", "*"), \
	       BY_HOSTS)
#define BACKEND_DENIED                                                                             \
	POLICY(MASQUERADE,                                                                         \
	       GRANT_ALL ", " TO_SERVICE                                                           \
			 ", " DENY("*", "192.0.2.10", "*") ", " DENY("*", "2001:db8:30::10", "*"), \
	       BY_HOSTS)

static void host_dies(void)
{
	services_set_health("host", false);
	state_make_stale();
}

static void host2_dies(void)
{
	services_set_health("host2", false);
	state_make_stale();
}

static void all_die(void)
{
	host_dies();
	host2_dies();
}

static void host_goes(void)
{
	rig_switch(ONE_LEFT);
}

/* As an apply that has come no further than the row. */
static void host_goes_unnoticed(void)
{
	struct state *want = rig_want();
	struct backends_row *row;
	struct err err;

	array_for_each(row, &want->socket_lb.backends) {
		row->backends.addrs[0] = row->backends.addrs[1];
		row->backends.count = 1;
		row->backends.healthy = 1;
		CHECK_INT(bpf_set_backends(rig_bpf(), row, &err), 0);
	}
	rig_touch();
	state_make_stale();
}

static void grant_goes(void)
{
	rig_switch(NOT_GRANTED);
}

static const struct row rows[] = {
	{ .name = "what_is_unhealthy_is_passed_over",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "host2", 5353, .ttl = 63)), .flows = 1,
		    .before = host_dies },
	  } },
	{ .name = "datagrams_leave_a_backend_that_dies",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  OPENED(),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20001, "host2", 5353, .ttl = 63)), .flows = 1,
		    .before = host_dies },
		  { FROM_LAN, udp("host2", 5353, "lan", 20001),
		    tunnels(udp("vip", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5353, "lan", 20000), passes(not_ours), .flows = 1 },
	  } },
	{ .name = "a_connection_outlasts_what_probes_say",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  ESTABLISHED,
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "vip", 80),
		    resolves(LAN0, tcp(ACK, "lan", 20000, "host", 80, .ttl = 63)), .flows = 1,
		    .before = host_dies },
		  { FROM_LAN, tcp(ACK, "host", 80, "lan", 20000),
		    tunnels(tcp(ACK, "vip", 80, "phone", 20000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "a_syn_that_nobody_answered_goes_to_another",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  BEGUN,
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "vip", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20001, "host2", 80, .ttl = 63)), .flows = 1,
		    .before = host_dies },
	  } },
	{ .name = "what_is_removed_is_left_at_once",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  OPENED(),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20001, "host2", 5353, .ttl = 63)), .flows = 1,
		    .before = host_goes },
		  { FROM_LAN, udp("host", 5353, "lan", 20000), passes(not_ours), .flows = 1 },
	  } },
	{ .name = "what_is_removed_is_left_at_the_next_look",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  OPENED(),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20001, "host2", 5353, .ttl = 63)), .flows = 1,
		    .before = host_goes_unnoticed },
	  } },
	{ .name = "a_connection_ends_with_its_backend",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  ESTABLISHED,
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "vip", 80),
		    resets(TUNNEL0, RST, "phone", 20000), .flows = 0, .before = host_goes },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "vip", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20001, "host2", 80, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "a_flow_ends_with_its_grant",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  OPENED(),
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53), drops(acl), .flows = 0,
		    .before = grant_goes },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 5353),
		    resolves(LAN0, udp("lan", 20001, "host", 5353, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "the_grants_are_asked_about_the_service_alone",
	  .policy = BACKEND_DENIED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 5353), drops(acl), .flows = 0 },
		  OPENED(),
	  } },
	{ .name = "a_grant_for_the_backend_is_none_for_the_service",
	  .policy = NOT_GRANTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53), drops(acl), .flows = 0 },
		  { FROM_LAN, udp("host2", 20000, "vip", 53), drops(acl), .flows = 0 },
	  } },
	{ .name = "a_service_can_be_denied",
	  .policy = DENIED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 53), drops(acl), .flows = 0 },
		  { FROM_TUNNEL, udp("tablet", 20000, "vip", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "no_service_is_on_another_port_and_none_answers_an_echo",
	  .policy = ADDRESS_GRANTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 54), drops(no_service), .flows = 0 },
		  { FROM_TUNNEL, udp("phone", 20000, "vip", 80), drops(no_service), .flows = 0 },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "vip", 53), drops(no_service),
		    .flows = 0 },
		  { FROM_TUNNEL, ping("phone", "vip", 7), drops(no_service), .flows = 0 },
		  { FROM_TUNNEL, ip(IPPROTO_GRE, "phone", "vip"), drops(no_service),
		    .flows = 0 },
		  OPENED(),
	  } },
	{ .name = "a_services_address_is_nobodys_source",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  { FROM_TUNNEL, udp("vip", 53, "phone", 20000), drops(spoof), .flows = 0 },
		  { FROM_LAN, udp("vip", 53, "phone", 20000), drops(spoof), .flows = 0 },
	  } },
	{ .name = "nothing_leaves_to_a_service_untranslated",
	  .policy = ADDRESS_GRANTED,
	  .steps = {
		  { INTO_TUNNEL_OWN, udp("self", 20000, "vip", 53), drops(no_service),
		    .flows = 0 },
		  { INTO_TUNNEL_FROM_OTHER, udp("away", 20000, "vip", 53), drops(no_service),
		    .flows = 0 },
		  { INTO_TUNNEL_OWN, ping("self", "vip", 7), drops(no_service), .flows = 0 },
		  { INTO_LAN_FROM_TUNNEL, udp("phone", 20000, "vip", 53), drops(unjudged),
		    .flows = 0 },
	  } },
};
ROWS(rows)

/* ---- nobody is left: the client hears of it ------------------------------------------------ */

#define IN_PIECES tcp(SYN, "host2", 20000, "vip", 80, FIRST)
#define QUESTION  udp("host2", 20000, "vip", 53)
#define hangs_up(through, to, ...) \
	hears_rst(no_backend, through, RST | ACK, to, 20000, .no_seq = true, ##__VA_ARGS__)
#define refused(what)                                                    \
	{                                                                \
		.fate = SENT, .reason = TP_R_no_backend, .device = LAN0, \
		.out = {.proto = IPPROTO_ICMP,                           \
			UNREACHABLE,                                     \
			.src = "vip",                                    \
			.dst = "host2",                                  \
			.quote = &(const struct packet)what,             \
			.quote_fits = true,                              \
			.tos = 0xc0,                                     \
			.frag = DF,                                      \
			.no_id = true,                                   \
		}                                                        \
	}

static void no_more_answers(void)
{
	state_set_answers(true);
}

static const struct row nobody_rows[] = {
	{ .name = "without_a_backend_the_port_is_unreachable",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  { FROM_LAN, QUESTION, refused(QUESTION), .flows = 0, .before = all_die },
		  { FROM_LAN, udp("host2", 20000, "vip", 54), drops(acl), .flows = 0 },
		  { FROM_LAN, QUESTION, drops(answer_limit), .flows = 0,
		    .before = no_more_answers },
	  } },
	/* RFC 9293 3.10.7.1, as for a port that nobody listens on */
	{ .name = "without_a_backend_a_connection_is_refused",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  { FROM_LAN, tcp(SYN, "host2", 20000, "vip", 80, .seq = 5000, .payload = ""),
		    hangs_up(LAN0, "host2", .ack = 5000), .flows = 0, .before = all_die },
		  { FROM_LAN, tcp(SYN, "host2", 20000, "vip", 80, TCP_OPTIONS("\1\1\1\1")),
		    hangs_up(LAN0, "host2", .ack = 7), .flows = 0 },
		  { FROM_LAN, tcp(SYN, "host2", 20000, "vip", 80, .payload = "fast open"),
		    hangs_up(LAN0, "host2", .ack = 9), .flows = 0 },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "vip", 80, .payload = ""),
		    hangs_up(TUNNEL0, "phone"), .flows = 0 },
		  { FROM_LAN, IN_PIECES, refused(IN_PIECES), .flows = 0 },
		  { FROM_LAN, tcp(RST, "host2", 20000, "vip", 80), drops(invalid), .flows = 0 },
	  } },
	{ .name = "a_flow_of_datagrams_ends_with_the_last_backend",
	  .policy = OPEN_SERVICE,
	  .steps = {
		  { FROM_LAN, QUESTION,
		    resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, QUESTION, refused(QUESTION), .flows = 0, .before = all_die },
	  } },
};
ROWS(nobody_rows)
