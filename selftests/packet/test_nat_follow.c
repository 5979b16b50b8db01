// SPDX-License-Identifier: GPL-2.0-only
/* The address to leave with: the route's, the policy's, and what happens when it changes. */
#include <stdio.h>
#include <sys/utsname.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

/* Three routes, three ways: lan0's prefix masquerades, what is behind its router does not. */
#define MIXED_SNAT                                             \
	", \"routes\": {"                                      \
	"\"192.0.2.0/24\": { \"snat\": \"masquerade\" }, "     \
	"\"2001:db8:30::/64\": { \"snat\": \"masquerade\" }, " \
	"\"203.0.113.0/24\": { \"snat\": \"none\" }, "         \
	"\"2001:db8:71::/64\": { \"snat\": \"none\" }, "       \
	"\"198.51.100.0/24\": { \"snat\": \"192.0.2.5\" }, "   \
	"\"2001:db8:31::/64\": { \"snat\": \"2001:db8:30::5\" } }"
#define MIXED POLICY(MIXED_SNAT, GRANT_ALL, "")

static void ip_of_family(const char *v4, const char *v6)
{
	world_ip(row_family() == V4 ? v4 : v6);
}

static void lan0_moves(void)
{
	world_sysctl("net/ipv4/conf/lan0/promote_secondaries", 1);
	ip_of_family("addr add 192.0.2.7/24 dev lan0", "addr add 2001:db8:30::7/64 dev lan0 nodad");
	ip_of_family("addr del 192.0.2.1/24 dev lan0", "addr del 2001:db8:30::1/64 dev lan0");
	/* as they were: the kernel took them with the address */
	ip_of_family("route replace 203.0.113.0/24 via 192.0.2.254",
		     "route replace 2001:db8:71::/64 via 2001:db8:30::fe");
}

static void lan0_moves_back(void)
{
	ip_of_family("addr add 192.0.2.1/24 dev lan0", "addr add 2001:db8:30::1/64 dev lan0 nodad");
	ip_of_family("addr del 192.0.2.7/24 dev lan0", "addr del 2001:db8:30::7/64 dev lan0");
	ip_of_family("route replace 203.0.113.0/24 via 192.0.2.254",
		     "route replace 2001:db8:71::/64 via 2001:db8:30::fe");
	world_neighbours();
}

static void lan0_moves_and_time_passes(void)
{
	lan0_moves();
	state_make_stale();
}

static void lan0_moves_and_is_applied(void)
{
	lan0_moves();
	rig_switch(OPEN_MASQ);
}

static void far_goes_by_lan1(void)
{
	ip_of_family("route replace 203.0.113.0/24 via 198.51.100.7",
		     "route replace 2001:db8:71::/64 via 2001:db8:31::7");
	state_make_stale();
}

static void far_goes_by_lan0(void)
{
	ip_of_family("route replace 203.0.113.0/24 via 192.0.2.254",
		     "route replace 2001:db8:71::/64 via 2001:db8:30::fe");
}

static const struct row rows[] = {
	{ .name = "each_route_has_its_own_snat",
	  .policy = MIXED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "far", 53),
		    resolves(LAN0, udp("phone", 20000, "far", 53, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "beyond", 53),
		    resolves(LAN1, udp("snat", 20000, "beyond", 53, .ttl = 63)), .flows = 3 },
		  { FROM_LAN, udp("far", 53, "phone", 20000),
		    tunnels(udp("far", 53, "phone", 20000, .ttl = 63)), .flows = 3 },
		  { FROM_LAN1, udp("beyond", 53, "snat", 20000),
		    tunnels(udp("beyond", 53, "phone", 20000, .ttl = 63)), .flows = 3 },
	  } },
	{ .name = "two_outside_addresses_have_ports_of_their_own",
	  .policy = MIXED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("tablet", 20000, "beyond", 53),
		    resolves(LAN1, udp("snat", 20000, "beyond", 53, .ttl = 63)), .flows = 2 },
	  } },
	{ .name = "protocols_without_ports_leave_where_nothing_is_translated",
	  .policy = MIXED,
	  .steps = {
		  { FROM_TUNNEL, ip(47, "phone", "far"),
		    resolves(LAN0, ip(47, "phone", "far", .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, ip(50, "phone", "beyond"), drops(nat_proto), .flows = 1 },
		  { FROM_TUNNEL, ip(132, "phone", "host"), drops(nat_proto), .flows = 1 },
	  } },
	{ .name = "the_stack_does_not_carry_a_private_source_out",
	  .policy = OPEN_SNAT,
	  .steps = {
		  { INTO_LAN_FROM_TUNNEL, ip(47, "phone", "host", .ttl = 63), drops(unjudged) },
		  { INTO_LAN_FROM_TUNNEL, ip(50, "phone", "host", .ttl = 63), drops(unjudged) },
		  { INTO_LAN_FROM_TUNNEL, ip(132, "phone", "host", .ttl = 63), drops(unjudged) },
		  { INTO_LAN_FROM_TUNNEL, udp("phone", 20000, "host", 53, .ttl = 63),
		    drops(unjudged) },
	  } },
	{ .name = "apply_with_a_new_address_closes_flows_of_the_old",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)), .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("moved", 20000, "host", 53, .ttl = 63)), .flows = 2,
		    .before = lan0_moves_and_is_applied },
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 80), drops(invalid),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "moved", 20000),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
	  },
	  .after = lan0_moves_back },
};
ROWS(rows)

/* ---- where the kernel says what it would send from: Linux 6.7 ------------------------------- */

static bool kernel_tells_source(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 7);
}

static void check_both(const char *policy, const struct step *steps, size_t count,
		       void (*restore)(void))
{
	enum family family;
	size_t i;

	if (!kernel_tells_source()) {
		test_skip("bpf_fib_lookup tells no source address before Linux 6.7");
		return;
	}
	for (family = V4; family <= V6; family += 2) {
		struct ports ports = {};

		row_start(policy, family);
		for (i = 0; i < count; i++)
			row_step(&steps[i], family, &ports);
		restore();
		rig_touch();
	}
}

#define CHECK_BOTH(policy, steps, restore) \
	check_both(policy, steps, sizeof(steps) / sizeof((steps)[0]), restore)

TEST(an_address_change_is_followed_within_a_second)
{
	static const struct step steps[] = {
		{ FROM_TUNNEL, udp("phone", 20000, "host", 53),
		  resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		{ FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		  resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)), .flows = 2 },
		{ FROM_TUNNEL, udp("phone", 20000, "host", 53),
		  resolves(LAN0, udp("moved", 20000, "host", 53, .ttl = 63)), .flows = 2,
		  .before = lan0_moves_and_time_passes },
		{ FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 80), drops(invalid), .flows = 1 },
		{ FROM_TUNNEL, udp("tablet", 20000, "host2", 53),
		  resolves(LAN0, udp("moved", PORT_A, "host2", 53, .ttl = 63)), .flows = 2 },
		{ FROM_LAN, udp("host2", 53, "moved", PORT_A),
		  tunnels(udp("host2", 53, "tablet", 20000, .ttl = 63)), .flows = 2 },
	};

	CHECK_BOTH(OPEN_MASQ, steps, lan0_moves_back);
}

TEST(a_flow_follows_its_route_to_another_device)
{
	static const struct step steps[] = {
		{ FROM_TUNNEL, udp("phone", 20000, "far", 53),
		  resolves(LAN0, udp("lan", 20000, "far", 53, .ttl = 63)), .flows = 1 },
		{ FROM_TUNNEL, udp("phone", 20000, "far", 53),
		  resolves(LAN1, udp("lan1", 20000, "far", 53, .ttl = 63)), .flows = 1,
		  .before = far_goes_by_lan1 },
		{ FROM_LAN1, udp("far", 53, "lan1", 20000),
		  tunnels(udp("far", 53, "phone", 20000, .ttl = 63)), .flows = 1 },
	};

	CHECK_BOTH(OPEN_MASQ, steps, far_goes_by_lan0);
}

/* Deprecated in IPv6: who does not ask for it does not get it. */
static void far_prefers_a_source(void)
{
	ip_of_family("addr add 192.0.2.7/24 dev lan0",
		     "addr add 2001:db8:30::7/64 dev lan0 nodad preferred_lft 0");
	ip_of_family("route replace 203.0.113.0/24 via 192.0.2.254 src 192.0.2.7",
		     "route replace 2001:db8:71::/64 via 2001:db8:30::fe src 2001:db8:30::7");
}

static void far_prefers_none(void)
{
	far_goes_by_lan0();
	ip_of_family("addr del 192.0.2.7/24 dev lan0", "addr del 2001:db8:30::7/64 dev lan0");
}

TEST(masquerades_as_the_route_prefers)
{
	static const struct step steps[] = {
		{ FROM_TUNNEL, udp("phone", 20000, "far", 53),
		  resolves(LAN0, udp("moved", 20000, "far", 53, .ttl = 63)), .flows = 1,
		  .before = far_prefers_a_source },
		{ FROM_TUNNEL, udp("phone", 20000, "host", 53),
		  resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 2 },
	};

	CHECK_BOTH(OPEN_MASQ, steps, far_prefers_none);
}

static void lan1_loses_its_address(void)
{
	ip_of_family("addr del 198.51.100.1/24 dev lan1", "addr del 2001:db8:31::1/64 dev lan1");
	ip_of_family("route replace 198.51.100.0/24 dev lan1 src 100.64.0.1",
		     "route replace 2001:db8:31::/64 dev lan1 src fd7a::1");
}

static void lan1_has_its_address(void)
{
	ip_of_family("route del 198.51.100.0/24 dev lan1", "route del 2001:db8:31::/64 dev lan1");
	ip_of_family("addr add 198.51.100.1/24 dev lan1",
		     "addr add 2001:db8:31::1/64 dev lan1 nodad");
	world_neighbours(); /* the kernel took them with the address */
}

TEST(never_masquerades_as_a_mesh_address)
{
	static const struct step steps[] = {
		{ FROM_TUNNEL, udp("phone", 20000, "beyond", 53), drops(nat_no_address),
		  .before = lan1_loses_its_address },
	};

	CHECK_BOTH(OPEN_MASQ, steps, lan1_has_its_address);
}
