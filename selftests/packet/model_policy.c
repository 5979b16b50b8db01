// SPDX-License-Identifier: GPL-2.0-only
/* What may talk to what: the grants as text for towpath, and the same once more as a table. */
#include "model_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "policies.h"

static const struct grant {
	const char *src[2], *dst[2]; /* prefixes, by family */
	const char *src_name, *what;
	int proto, port_min, port_max;
	bool deny;
} grants[] = {
#define PHONE                                  \
	{                                      \
		"100.64.0.2/32", "fd7a::2/128" \
	}
#define TABLET                                 \
	{                                      \
		"100.64.0.3/32", "fd7a::3/128" \
	}
#define BRANCH                                 \
	{                                      \
		"100.64.0.9/32", "fd7a::9/128" \
	}
#define HOST                                           \
	{                                              \
		"192.0.2.10/32", "2001:db8:30::10/128" \
	}
#define MASQED                                     \
	{                                          \
		"192.0.2.0/24", "2001:db8:30::/64" \
	}
#define FAR                                          \
	{                                            \
		"203.0.113.0/24", "2001:db8:71::/64" \
	}
#define PLAIN                                         \
	{                                             \
		"198.51.100.0/24", "2001:db8:31::/64" \
	}
#define SELF                                   \
	{                                      \
		"100.64.0.1/32", "fd7a::1/128" \
	}
	{ PHONE, MASQED, "phone", "udp:1-200", IPPROTO_UDP, 1, 200, false },
	{ PHONE, MASQED, "phone", "tcp:1-100", IPPROTO_TCP, 1, 100, false },
	{ PHONE, MASQED, "phone", "icmp:*", IPPROTO_ICMP, 0, 0, false },
	{ PHONE, MASQED, "phone", "proto:47", 47, 0, 0, false },
	{ PHONE, HOST, "phone", "tcp:22", IPPROTO_TCP, 22, 22, true },
	{ PHONE, FAR, "phone", "udp:1-200", IPPROTO_UDP, 1, 200, false },
	{ PHONE, TABLET, "phone", "udp:1-50", IPPROTO_UDP, 1, 50, false },
	{ PHONE, SELF, "phone", "tcp:1-30", IPPROTO_TCP, 1, 30, false },
	{ TABLET, PLAIN, "tablet", "udp:*", IPPROTO_UDP, 1, 65535, false },
	{ TABLET, MASQED, "tablet", "udp:1-200", IPPROTO_UDP, 1, 200, false },
	{ TABLET, PLAIN, "tablet", "tcp:1-100", IPPROTO_TCP, 1, 100, false },
	{ TABLET, PLAIN, "tablet", "sctp:1-100", IPPROTO_SCTP, 1, 100, false },
	{ BRANCH, MASQED, "branch", "icmp:*", IPPROTO_ICMP, 0, 0, false },
	{ HOST, PHONE, NULL, "tcp:1-50", IPPROTO_TCP, 1, 50, false },
	{ HOST, PHONE, NULL, "icmp:*", IPPROTO_ICMP, 0, 0, false },
};

static const struct area {
	const char *prefix[2];
	enum place_kind kind;
} areas[] = {
	/* the first that matches */
	{ SELF, PLACE_SELF },
	{ PHONE, PLACE_MESH },
	{ TABLET, PLACE_MESH },
	{ { "100.64.0.4/32", "fd7a::4/128" }, PLACE_EXPIRED },
	{ BRANCH, PLACE_MESH },
	{ { "10.9.0.0/24", "fd0a:9::/64" }, PLACE_MESH },
	{ { "192.0.2.1/32", "2001:db8:30::1/128" }, PLACE_HOST },
	{ { "198.51.100.1/32", "2001:db8:31::1/128" }, PLACE_HOST },
	{ MASQED, PLACE_MASQUERADED },
	{ FAR, PLACE_MASQUERADED },
	{ PLAIN, PLACE_PLAIN },
};

static bool is_in(const uint8_t addr[16], const char *text)
{
	struct prefix prefix;
	struct addr value;

	memcpy(value.bytes, addr, 16);
	if (prefix_read(text, &prefix)) {
		fprintf(stderr, "packet tier: \"%s\" is no prefix\n", text);
		exit(2);
	}
	return prefix_has_addr(&prefix, &value);
}

enum place_kind model_place(const uint8_t addr[16], enum family family)
{
	size_t i;

	for (i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		if (is_in(addr, areas[i].prefix[family == V6]))
			return areas[i].kind;
	return PLACE_ELSEWHERE;
}

static bool grant_matches(const struct grant *grant, const struct wire *w)
{
	int proto = w->proto == IPPROTO_ICMPV6 && w->family == V6 ? IPPROTO_ICMP : w->proto;

	if (w->proto == IPPROTO_ICMP && w->family == V6)
		return false;
	if (proto != grant->proto || !is_in(w->src.addr, grant->src[w->family == V6]) ||
	    !is_in(w->dst.addr, grant->dst[w->family == V6]))
		return false;
	return !grant->port_min ||
	       (w->dst.port >= grant->port_min && w->dst.port <= grant->port_max);
}

bool model_grants(const struct wire *w)
{
	bool accepted = false;
	size_t i;

	for (i = 0; i < sizeof(grants) / sizeof(grants[0]); i++) {
		if (!grant_matches(&grants[i], w))
			continue;
		if (grants[i].deny)
			return false;
		accepted = true;
	}
	return accepted;
}

/* One grant a family: rules hold within one. */
static size_t put_grant(char *text, size_t size, const struct grant *grant, int v6)
{
	char src[80];

	if (grant->src_name)
		snprintf(src, sizeof(src), "%s", grant->src_name);
	else
		snprintf(src, sizeof(src), "%s", grant->src[v6]);
	return (size_t)snprintf(text, size,
				"%s{ \"action\": \"%s\", \"src\": [\"%s\"], \"dst\": [\"%s\"], "
				"\"ip\": [\"%s\"] }",
				grant == grants && !v6 ? "" : ", ", grant->deny ? "deny" : "accept",
				src, grant->dst[v6], grant->what);
}

#define PROPERTY_SNAT                                          \
	", \"routes\": {"                                      \
	"\"192.0.2.0/24\": { \"snat\": \"masquerade\" }, "     \
	"\"2001:db8:30::/64\": { \"snat\": \"masquerade\" }, " \
	"\"203.0.113.0/24\": { \"snat\": \"masquerade\" }, "   \
	"\"2001:db8:71::/64\": { \"snat\": \"masquerade\" }, " \
	"\"198.51.100.0/24\": { \"snat\": \"none\" }, "        \
	"\"2001:db8:31::/64\": { \"snat\": \"none\" } }"

const char *model_policy(void)
{
	static char text[16384];
	size_t i, length;

	length = (size_t)snprintf(text, sizeof(text), "{%s%s, \"grants\": [", POLICY_MEMBERS,
				  PROPERTY_SNAT);
	for (i = 0; i < sizeof(grants) / sizeof(grants[0]); i++) {
		length += put_grant(text + length, sizeof(text) - length, &grants[i], 0);
		length += put_grant(text + length, sizeof(text) - length, &grants[i], 1);
	}
	snprintf(text + length, sizeof(text) - length, "] }");
	return text;
}
