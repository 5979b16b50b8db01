// SPDX-License-Identifier: GPL-2.0-only
/*
 * A LAN of this machine appears while a policy is live, and nobody applies anything: the kernel
 * has a route to it, and the rows still say that its addresses are the mesh's. Nothing of the LAN's
 * is refused or led into the tunnel for that, and nothing out of the tunnel gets there.
 */
#include <stdio.h>

#include "pieces.h"
#include "places.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define GRANT_NOTHING POLICY(NO_SNAT, "", "")

static void change(const char *verb, const char *to, const char *way)
{
	char words[160];

	snprintf(words, sizeof(words), "route %s %s %s", verb, places_text(to, row_family()), way);
	world_ip(words);
}

/* Behind the device of hosts that the node advertises; "remote" and "phone" are the mesh's. */
static void remote_is_on_lan0(void)
{
	change("add", "remote", "dev lan0");
}

/* And by then each flow is due for a second look. */
static void remote_is_on_lan1(void)
{
	state_make_stale();
	change("add", "remote", "dev lan1");
}

static void remote_is_nowhere(void)
{
	change("add", "remote", "dev lo");
}

static void remote_is_as_before(void)
{
	change("del", "remote", "");
}

static void time_passes(void)
{
	state_make_stale();
}

static void phone_is_on_lan0(void)
{
	change("add", "phone", "dev lan0");
}

static void phone_is_as_before(void)
{
	change("del", "phone", "");
}

static const struct row rows[] = {
	{ .name = "a_new_flow_goes_by_the_kernels_route",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "remote", 53),
		    tunnels(udp("host", 5000, "remote", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5001, "remote", 53), passes(not_ours), .flows = 1,
		    .before = remote_is_on_lan1 },
		  { FROM_LAN, tcp(SYN, "host", 5002, "remote", 80), passes(not_ours), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5001, "remote", 53), drops(no_route), .flows = 1 },
	  },
	  .after = remote_is_as_before },
	{ .name = "a_known_flow_leaves_the_tunnel_within_a_second_and_comes_back",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "remote", 53),
		    tunnels(udp("host", 5000, "remote", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 5000, "remote", 53),
		    tunnels(udp("host", 5000, "remote", 53, .ttl = 63)), .flows = 1,
		    .before = time_passes },
		  { FROM_LAN, udp("host", 5000, "remote", 53), passes(not_ours), .flows = 1,
		    .before = remote_is_on_lan1 },
		  { FROM_LAN, udp("host", 5000, "remote", 53), passes(not_ours), .flows = 1 },
		  { FROM_LAN, udp("host", 5000, "remote", 53),
		    tunnels(udp("host", 5000, "remote", 53, .ttl = 63)), .flows = 1,
		    .before = remote_is_as_before },
	  } },
	{ .name = "a_flow_of_the_meshs_leaves_the_tunnel_as_well",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "remote", 53),
		    tunnels(udp("phone", 5000, "remote", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5000, "remote", 53), drops(no_route), .flows = 1,
		    .before = remote_is_on_lan1 },
	  },
	  .after = remote_is_as_before },
	{ .name = "an_answer_goes_back_to_whom_it_answers",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("remote", 5000, "host", 53),
		    resolves(LAN0, udp("remote", 5000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "remote", 5000),
		    tunnels(udp("host", 53, "remote", 5000, .ttl = 63)), .flows = 1,
		    .before = remote_is_on_lan1 },
	  },
	  .after = remote_is_as_before },
	{ .name = "what_no_grant_allows_is_the_lans_own_business",
	  .policy = GRANT_NOTHING,
	  .steps = {
		  { FROM_LAN, udp("host", 5001, "remote", 53), drops(acl) },
		  { FROM_LAN, udp("host", 5001, "remote", 53), passes(not_ours),
		    .before = remote_is_on_lan1 },
		  { FROM_LAN, tcp(ACK, "host", 5002, "remote", 80), passes(not_ours) },
	  },
	  .after = remote_is_as_before },
	{ .name = "what_is_wrong_with_it_is_too",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "remote", 2, .cut = 4), drops(malformed) },
		  { FROM_WIRE, udp("host", 1, "remote", 2, .cut = 4), drops(malformed) },
		  { FROM_LAN, udp("host", 1, "remote", 2, .cut = 4), passes(not_ours),
		    .before = remote_is_on_lan1 },
		  { FROM_WIRE, udp("host", 1, "remote", 2, .cut = 4), passes(none) },
		  { FROM_LAN, udp("phone", 1, "remote", 2, .cut = 4), drops(malformed) },
		  { FROM_LAN, udp("host", 1, "remote", 2, LAST), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "phone", 2, LAST), drops(frag_unknown) },
	  },
	  .after = remote_is_as_before },
	{ .name = "its_hosts_are_no_spoofers",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("remote", 5000, "far", 53), drops(spoof) },
		  { FROM_WIRE, udp("remote", 5000, "far", 53), drops(spoof) },
		  { FROM_LAN, udp("remote", 5000, "far", 53), passes(not_ours),
		    .before = remote_is_on_lan0 },
		  { FROM_WIRE, udp("remote", 5000, "far", 53), passes(none) },
		  { FROM_LAN1, udp("remote", 5000, "far", 53), drops(spoof) },
	  },
	  .after = remote_is_as_before },
	{ .name = "a_members_own_address_may_be_a_lans_too",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "phone", 53), passes(not_ours),
		    .before = phone_is_on_lan0 },
		  { FROM_LAN, udp("phone", 5000, "far", 53), passes(not_ours) },
		  { FROM_LAN1, udp("phone", 5000, "far", 53), drops(spoof) },
	  },
	  .after = phone_is_as_before },
	{ .name = "what_the_kernel_does_not_lead_into_the_tunnel_is_the_stacks",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 5000, "remote", 53), passes(not_ours),
		    .before = remote_is_nowhere },
	  },
	  .after = remote_is_as_before },
};

ROWS(rows)
