// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs against a naive reading of the grants: random policies, random packets, and both
 * must agree on every verdict and on the rule that gave it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "places.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define SEEDS    4
#define GRANTS   40
#define PACKETS  1000 /* a seed */
#define TEXT_MAX 16384

/* Small numbers, so that packets and grants meet often. */
static const char *const sources[] = { "phone", "tablet", "branch" };
static const char *const prefixes[2][6] = {
	{ "192.0.2.0/24", "192.0.2.8/30", "192.0.2.10/32", "203.0.113.0/24", "198.51.100.0/25",
	  "192.0.2.0/28" },
	{ "2001:db8:30::/64", "2001:db8:30::8/126", "2001:db8:30::10/128", "2001:db8:71::/64",
	  "2001:db8:31::/112", "2001:db8:30::/124" },
};
static const char *const targets[] = { "host", "host2", "ghost", "far", "beyond", "router" };

struct grant {
	bool deny;
	int source; /* index of sources, or -1: anybody */
	int prefix;
	int proto; /* IPPROTO_*, 0: any */
	int port_min, port_max;
};

static uint32_t random_state;

/* xorshift32: the same numbers everywhere, so that a failure can be had again. */
static uint32_t roll(uint32_t sides)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % sides;
}

static struct grant roll_grant(void)
{
	static const int protos[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 47 };
	struct grant grant = { .deny = !roll(4),
			       .source = (int)roll(4) - 1,
			       .prefix = (int)roll(6),
			       .proto = protos[roll(5)],
			       .port_min = (int)roll(16) + 1 };

	grant.port_max = grant.port_min + (int)roll(8);
	return grant;
}

static void put_match(char *buf, size_t size, const struct grant *grant)
{
	if (!grant->proto)
		snprintf(buf, size, "*");
	else if (grant->proto == IPPROTO_ICMP)
		snprintf(buf, size, "icmp:*");
	else if (grant->proto == 47)
		snprintf(buf, size, "proto:47");
	else
		snprintf(buf, size, "%s:%d-%d", grant->proto == IPPROTO_TCP ? "tcp" : "udp",
			 grant->port_min, grant->port_max);
}

static void put_policy(char *text, size_t size, const struct grant *grants, enum family family)
{
	size_t length =
		(size_t)snprintf(text, size, "{%s%s, \"grants\": [", POLICY_MEMBERS, NO_SNAT);
	int i;

	for (i = 0; i < GRANTS; i++) {
		char match[32];

		put_match(match, sizeof(match), &grants[i]);
		length += (size_t)snprintf(
			text + length, size - length,
			"%s{ \"action\": \"%s\", \"src\": [\"%s\"], \"dst\": [\"%s\"], "
			"\"ip\": [\"%s\"] }",
			i ? ", " : "", grants[i].deny ? "deny" : "accept",
			grants[i].source < 0 ? "*" : sources[grants[i].source],
			prefixes[family == V6][grants[i].prefix], match);
	}
	snprintf(text + length, size - length, "] }");
}

static bool grant_matches(const struct grant *grant, const struct packet *packet,
			  enum family family)
{
	struct prefix prefix;
	struct addr dst;

	if (prefix_read(prefixes[family == V6][grant->prefix], &prefix) ||
	    addr_read(places_text(packet->dst, family), &dst))
		return false;
	if (grant->source >= 0 && strcmp(packet->src, sources[grant->source]))
		return false;
	if (!prefix_has_addr(&prefix, &dst))
		return false;
	if (grant->proto && grant->proto != packet->proto)
		return false;
	if (grant->proto == IPPROTO_TCP || grant->proto == IPPROTO_UDP)
		return packet->dport >= grant->port_min && packet->dport <= grant->port_max;
	return true;
}

/* Grants in file order: the first deny decides, else the first accept, else nothing (-1). */
static int decide(const struct grant *grants, const struct packet *packet, enum family family)
{
	int i, accept = -1;

	for (i = 0; i < GRANTS; i++) {
		if (!grant_matches(&grants[i], packet, family))
			continue;
		if (grants[i].deny)
			return i;
		if (accept < 0)
			accept = i;
	}
	return accept;
}

static struct packet roll_packet(int number)
{
	const char *src = sources[roll(3)], *dst = targets[roll(6)];
	int dport = (int)roll(24) + 1;
	struct packet packet;

	switch (roll(4)) {
	case 0: packet = (struct packet)tcp(SYN, src, number, dst, dport); break;
	case 1: packet = (struct packet)udp(src, number, dst, dport); break;
	case 2: packet = (struct packet)ping(src, dst, number); break;
	default: packet = (struct packet)ip(47, src, dst); break;
	}
	return packet;
}

/* One packet that no flow knows; true when both sides agree. */
static bool agrees(const struct grant *grants, const struct packet *packet, enum family family)
{
	int rule = decide(grants, packet, family);
	bool allowed = rule >= 0 && !grants[rule].deny;
	uint64_t generation = rig_generation(), before = 0;
	struct ports none = {};
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	size_t size = row_frame(FROM_TUNNEL, packet, family, &none, frame);

	if (rule >= 0)
		before = state_rule_counter(generation, rig_rule((uint32_t)rule)).packets;
	rig_run(FROM_TUNNEL, frame, size, &run);
	if (run.retval != (allowed ? 7 : 2) || (!allowed && !run.reasons[TP_R_acl]))
		return false;
	return rule < 0 ||
	       state_rule_counter(generation, rig_rule((uint32_t)rule)).packets == before + 1;
}

static void check_seed(uint32_t seed, enum family family, int counts[2])
{
	struct grant grants[GRANTS];
	char policy[TEXT_MAX];
	int i;

	random_state = seed;
	for (i = 0; i < GRANTS; i++)
		grants[i] = roll_grant();
	put_policy(policy, sizeof(policy), grants, family);
	row_start(policy, family);
	for (i = 0; i < PACKETS; i++) {
		struct packet packet = roll_packet(i + 1);
		int rule = decide(grants, &packet, family);

		if (i % 500 == 0 || packet.proto == 47)
			state_forget_flows();
		counts[rule >= 0 && !grants[rule].deny]++;
		if (test_check(agrees(grants, &packet, family), __FILE__, __LINE__,
			       "seed %u: %s > %s protocol %d port %d: the grants say rule %d", seed,
			       packet.src, packet.dst, packet.proto, packet.dport, rule))
			continue;
		printf("  %s\n", policy);
		return;
	}
}

static void check_family(enum family family)
{
	int counts[2] = { 0, 0 };
	uint32_t seed;

	for (seed = 1; seed <= SEEDS; seed++)
		check_seed(seed, family, counts);
	/* a comparison in which nearly all packets fare alike would show little */
	CHECK(counts[0] > SEEDS * PACKETS / 10);
	CHECK(counts[1] > SEEDS * PACKETS / 10);
}

TEST(agrees_with_the_grants_in_ipv4)
{
	check_family(V4);
}

TEST(agrees_with_the_grants_in_ipv6)
{
	check_family(V6);
}
