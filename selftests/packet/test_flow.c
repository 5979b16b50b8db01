// SPDX-License-Identifier: GPL-2.0-only
/* How long a flow lives, and when its next hop is looked up. */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define SHORT_UDP POLICY(MASQUERADE, GRANT_ALL, POLICY_LIMITS("\"timeouts\": { \"udp\": 1 }"))

static const struct packet question = udp("phone", 20000, "host", 53);

static struct tp_flow_key question_key(void)
{
	struct ports none = {};

	return state_key(&question, row_family(), &none, TP_SIDE_TUNNEL);
}

static void age_question(uint32_t seconds)
{
	struct tp_flow_key key = question_key();

	state_age(&key, seconds);
}

static void age_2_s(void)
{
	age_question(2);
}

static void age_echo(uint32_t seconds)
{
	static const struct packet echo = ping("phone", "host", 20000);
	struct ports none = {};
	struct tp_flow_key key = state_key(&echo, row_family(), &none, TP_SIDE_TUNNEL);

	state_age(&key, seconds);
}

static void age_59_s(void)
{
	age_echo(59);
}

static void age_61_s(void)
{
	age_echo(61);
}

static void age_299_s(void)
{
	age_question(299);
}

static void age_301_s(void)
{
	age_question(301);
}

/* As if the next hop of the flow had been looked up two seconds ago. */
static void make_next_hop_stale(void)
{
	struct tp_flow_key key = question_key();
	struct tp_flow flow;

	if (!CHECK(state_find_flow(&key, &flow)))
		return;
	flow.checked -= 2 * rig_hz();
	state_write_flow(&key, &flow);
}

static void route_to_lan1(void)
{
	make_next_hop_stale();
	world_ip(row_family() == V4 ? "route add 192.0.2.10/32 via 198.51.100.7"
				    : "route add 2001:db8:30::10/128 via 2001:db8:31::7");
}

static void route_to_lan0(void)
{
	world_ip(row_family() == V4 ? "route del 192.0.2.10/32" : "route del 2001:db8:30::10/128");
}

static void blackhole_it(void)
{
	make_next_hop_stale();
	world_ip(row_family() == V4 ? "route add blackhole 192.0.2.10/32"
				    : "route add blackhole 2001:db8:30::10/128");
}

/* The peer's key expires while its flow lives: apply has put the date into the flow. */
static void expire_the_peer(void)
{
	struct tp_flow_key key = question_key();
	struct tp_flow_state state;
	struct tp_flow flow;

	if (!CHECK(state_find_flow(&key, &flow)))
		return;
	state = state_slot(flow.slot);
	state.expires_at = rig_jiffies() - rig_hz();
	state_write_slot(flow.slot, &state);
}

static const struct row rows[] = {
	{ .name = "udp_lives_300_s_from_its_last_packet",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1,
		    .before = age_299_s },
		  { FROM_LAN, udp("host", 53, "lan", 20000),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1,
		    .before = age_299_s },
		  { FROM_LAN, udp("host", 53, "lan", 20000), passes(not_ours),
		    .before = age_301_s },
	  } },
	{ .name = "an_echo_lives_60_s",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, ping("phone", "host", 20000),
		    resolves(LAN0, ping("lan", "host", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, pong("host", "lan", 20000),
		    tunnels(pong("host", "phone", 20000, .ttl = 63)), .flows = 1,
		    .before = age_59_s },
		  { FROM_LAN, pong("host", "lan", 20000), passes(not_ours),
		    .before = age_61_s },
	  } },
	{ .name = "an_expired_flow_is_judged_and_made_anew",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1,
		    .before = age_301_s },
		  { FROM_LAN, udp("host", 53, "lan", 20000),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
	  } },
	{ .name = "looks_the_next_hop_up_every_second",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("phone", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    sends(LAN0, "host", udp("phone", 20000, "host", 53, .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("phone", 20000, "host", 53, .ttl = 63)), .flows = 1,
		    .before = make_next_hop_stale },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    sends(LAN0, "host", udp("phone", 20000, "host", 53, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "follows_a_changed_route",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("phone", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN1, udp("phone", 20000, "host", 53, .ttl = 63)), .flows = 1,
		    .before = route_to_lan1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    sends(LAN1, "beyond", udp("phone", 20000, "host", 53, .ttl = 63)),
		    .flows = 1 },
	  },
	  .after = route_to_lan0 },
	{ .name = "follows_a_route_into_a_blackhole",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53), drops(blackhole),
		    .flows = 1, .before = blackhole_it },
	  },
	  .after = route_to_lan0 },
	{ .name = "key_expiry_stops_a_living_flow",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53), drops(peer_expired),
		    .flows = 1, .before = expire_the_peer },
		  { FROM_LAN, udp("host", 53, "lan", 20000), drops(peer_expired),
		    .flows = 1 },
	  } },
	{ .name = "timers_follow_the_policy",
	  .policy = SHORT_UDP,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000), passes(not_ours),
		    .before = age_2_s },
	  } },
};
ROWS(rows)
