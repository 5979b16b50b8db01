// SPDX-License-Identifier: GPL-2.0-only
/* The naive reading: what each selector means is spelled out; no code is shared with the model. */
#include "worlds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"

#define HEAD                                                                                       \
	"{ \"version\": 1, \"nodes\": { \"gw\": { \"public_key\": \"@gw@\","                       \
	" \"addresses\": [\"100.80.0.4\", \"fd7a:70::4\"], \"endpoint\": \"192.0.2.1:1\","         \
	" \"advertise_routes\": [\"10.0.0.0/29\", \"fd10::/125\", \"0.0.0.0/0\", \"::/0\"] }"      \
	"}, \"peers\": {"                                                                          \
	" \"p1\": { \"public_key\": \"@p1@\", \"addresses\": [\"100.80.0.1\", \"fd7a:70::1\"],"    \
	" \"user\": \"ana\" },"                                                                    \
	" \"p2\": { \"public_key\": \"@p2@\", \"addresses\": [\"100.80.0.2\", \"fd7a:70::2\"],"    \
	" \"user\": \"ana\", \"tags\": [\"tag:m\"] },"                                             \
	" \"p3\": { \"public_key\": \"@p3@\", \"addresses\": [\"100.80.0.3\"],"                    \
	" \"tags\": [\"tag:m\"] } },"                                                              \
	" \"groups\": { \"group:g\": [\"p1\", \"p3\", \"gw\"] },"                                  \
	" \"hosts\": { \"h\": \"10.0.0.8/30\", \"r\": \"10.0.0.2-10.0.0.5\" },"                    \
	" \"services\": { \"svc\": { \"vip\": \"100.80.0.53\", \"backends\": [\"10.0.0.3\"],"      \
	" \"ports\": [ { \"port\": 2, \"protocol\": \"tcp\" },"                                    \
	" { \"port\": 3, \"protocol\": \"udp\" } ] } },"                                           \
	" \"auto_approvers\": { \"routes\": { \"10.0.0.0/8\": [\"gw\"], \"fd10::/64\": [\"gw\"] }" \
	"%s }, \"grants\": ["
#define EXIT ", \"exit_node\": [\"gw\"]"

/* What each selector means, spelled out. */
static const struct selector {
	const char *text;
	const char *ranges; /* first-last or one address, split by blanks */
} selectors[] = {
	{ "p1", "100.80.0.1 fd7a:70::1" },
	{ "p3", "100.80.0.3" },
	{ "ana", "100.80.0.1 100.80.0.2 fd7a:70::1 fd7a:70::2" },
	{ "tag:m", "100.80.0.2 100.80.0.3 fd7a:70::2" },
	{ "group:g", "100.80.0.1 100.80.0.3 100.80.0.4 fd7a:70::1 fd7a:70::4" },
	{ "10.0.0.0/29", "10.0.0.0-10.0.0.7" },
	{ "10.0.0.4-10.0.0.9", "10.0.0.4-10.0.0.9" },
	{ "10.0.0.3", "10.0.0.3" },
	{ "h", "10.0.0.8-10.0.0.11" },
	{ "r", "10.0.0.2-10.0.0.5" },
	{ "fd10::/125", "fd10::-fd10::7" },
	{ "fd10::3-fd10::9", "fd10::3-fd10::9" },
	{ "fd10::3", "fd10::3" },
	{ "0.0.0.0/0", "0.0.0.0-255.255.255.255" },
	{ "::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "::/80", "::-::fffe:ffff:ffff" },
	{ "::fffe:0:0/96", "::fffe:0:0-::fffe:ffff:ffff" }, /* up to the IPv4 hole */
	/* those with two sides */
	{ "svc", "100.80.0.53" },
	{ "*", "100.80.0.1-100.80.0.4 fd7a:70::1 fd7a:70::2 fd7a:70::4 10.0.0.0-10.0.0.7 "
	       "fd10::-fd10::7" },
};
#define SERVICE (ARRAY_SIZE(selectors) - 2)
#define ANY     (ARRAY_SIZE(selectors) - 1)

static const struct match {
	const char *text;
	int proto, port_min, port_max; /* proto 0: every one; -1: TCP and UDP; 1: ICMP */
} matches[] = {
	{ "*", 0, 0, 65535 },
	{ "2", -1, 2, 2 },
	{ "tcp:2-4", 6, 2, 4 },
	{ "tcp:*", 6, 0, 65535 },
	{ "udp:1-65535", 17, 1, 65535 },
	{ "udp:3-5", 17, 3, 5 },
	{ "icmp:*", 1, 0, 65535 },
	{ "sctp:2-65535", 132, 2, 65535 },
	{ "proto:47", 47, 0, 65535 },
	{ "tcp:65535", 6, 65535, 65535 },
	{ "tcp:1", 6, 1, 1 },
};

const char *const world_places[2][WORLD_PLACES] = {
	{ "fd10::", "fd10::1", "fd10::2", "fd10::3", "fd10::4", "fd10::7", "fd10::8", "fd10::9",
	  "fd10::a", "fd7a:70::1", "fd7a:70::2", "fd7a:70::3", "fd7a:70::4",
	  "::", "::fffe:ffff:ffff", "::1:0:0:0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
	{ "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6",
	  "10.0.0.9", "10.0.0.10", "10.0.0.12", "100.80.0.1", "100.80.0.2", "100.80.0.3",
	  "100.80.0.4", "100.80.0.53", "0.0.0.0", "255.255.255.255", NULL },
};

const struct world_port world_ports[WORLD_PORTS] = {
	{ 6, 1 },   { 6, 2 },       { 6, 3 },  { 6, 4 },  { 6, 5 },  { 6, 65534 },  { 6, 65535 },
	{ 17, 1 },  { 17, 2 },      { 17, 3 }, { 17, 5 }, { 17, 6 }, { 17, 65535 }, { 132, 1 },
	{ 132, 2 }, { 132, 65535 }, { 1, 0 },  { 47, 0 }, { 46, 0 }, { 0, 0 },      { 255, 0 },
};

uint32_t world_random;

/* xorshift32: the same numbers everywhere, so that a failure can be had again. */
static uint32_t roll(uint32_t sides)
{
	world_random ^= world_random << 13;
	world_random ^= world_random >> 17;
	world_random ^= world_random << 5;
	return world_random % sides;
}

/* ---- the naive reading ---- */

static bool has_addr(const char *ranges, const struct addr *addr)
{
	char text[256], *rest = text, *word;
	struct addr_range range;

	snprintf(text, sizeof(text), "%s", ranges);
	while ((word = strsep(&rest, " "))) {
		if (addr_range_read(word, &range)) {
			if (addr_read(word, &range.first))
				abort();
			range.last = range.first;
		}
		if (addr_is_v4(&range.first) == addr_is_v4(addr) &&
		    addr_compare(&range.first, addr) <= 0 && addr_compare(addr, &range.last) <= 0)
			return true;
	}
	return false;
}

/* [selector][family][place]: asked a million times */
static bool holds[ARRAY_SIZE(selectors)][2][WORLD_PLACES];

void world_begin(void)
{
	size_t i, j;
	int v4;

	for (i = 0; i < ARRAY_SIZE(selectors); i++)
		for (v4 = 0; v4 < 2; v4++)
			for (j = 0; world_places[v4][j]; j++) {
				struct addr addr;

				if (addr_read(world_places[v4][j], &addr))
					abort();
				holds[i][v4][j] = has_addr(selectors[i].ranges, &addr);
			}
}

static bool match_has(const struct match *match, int proto, int port)
{
	if (match->proto == -1)
		return (proto == 6 || proto == 17) && port == match->port_min;
	return !match->proto ||
	       (match->proto == proto && port >= match->port_min && port <= match->port_max);
}

static bool service_has(int proto, int port)
{
	return (proto == 6 && port == 2) || (proto == 17 && port == 3);
}

static bool grant_has(const struct world *world, const struct grant *grant, int v4, size_t src,
		      size_t dst, int proto, int port)
{
	bool from = false, to = false, match = false;
	size_t i;

	for (i = 0; i < grant->src_count; i++)
		from |= holds[grant->src[i]][v4][src];
	for (i = 0; i < grant->dst_count; i++)
		to |= (holds[grant->dst[i]][v4][dst] || (grant->dst[i] == ANY && world->exit)) &&
		      (grant->dst[i] != SERVICE || service_has(proto, port));
	for (i = 0; i < grant->ip_count; i++)
		match |= match_has(&matches[grant->ip[i]], proto, port);
	return from && to && match;
}

bool world_allows(const struct world *world, int v4, size_t src, size_t dst, int proto, int port)
{
	bool allowed = false;
	size_t i;

	for (i = 0; i < world->count; i++) {
		if (!grant_has(world, &world->grants[i], v4, src, dst, proto, port))
			continue;
		if (world->grants[i].deny)
			return false;
		allowed = true;
	}
	return allowed;
}

/* ---- policies ---- */

static struct grant roll_grant(void)
{
	struct grant grant = { .deny = !roll(4),
			       .src_count = roll(NAMES_MAX) + 1,
			       .dst_count = roll(NAMES_MAX) + 1,
			       .ip_count = roll(NAMES_MAX) + 1 };
	size_t i;

	for (i = 0; i < NAMES_MAX; i++) {
		grant.src[i] = roll(ARRAY_SIZE(selectors));
		if (grant.src[i] == SERVICE)
			grant.src[i] = ANY;
		grant.dst[i] = roll(ARRAY_SIZE(selectors));
		grant.ip[i] = roll(ARRAY_SIZE(matches));
	}
	return grant;
}

void world_roll(struct world *world)
{
	size_t i;

	world->exit = roll(2);
	world->count = roll(GRANTS_MAX - 1) + 1; /* room for one more */
	for (i = 0; i < world->count; i++)
		world->grants[i] = roll_grant();
}

/* Another order says the same. */
void world_shuffle(struct world *world)
{
	size_t i;

	for (i = world->count; i > 1; i--) {
		size_t j = roll((uint32_t)i);
		struct grant grant = world->grants[j];

		world->grants[j] = world->grants[i - 1];
		world->grants[i - 1] = grant;
	}
}

void world_edit(struct world *world)
{
	switch (roll(4)) {
	case 0: world_roll(world); break;
	case 1: world->count--; break;
	case 2: world->exit = !world->exit; break;
	default: world->grants[roll((uint32_t)world->count)] = roll_grant(); break;
	}
	world_shuffle(world);
}

static void put_names(FILE *out, const char *key, const size_t *names, size_t count)
{
	bool is_ip = key[0] == 'i';
	size_t i;

	fprintf(out, "\"%s\": [", key);
	for (i = 0; i < count; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "",
			is_ip ? matches[names[i]].text : selectors[names[i]].text);
	fprintf(out, "]");
}

char *world_put(const struct world *world)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, HEAD, world->exit ? EXIT : "");
	for (i = 0; i < world->count; i++) {
		const struct grant *grant = &world->grants[i];

		fprintf(out, "%s{ \"action\": \"%s\", ", i ? ", " : "",
			grant->deny ? "deny" : "accept");
		put_names(out, "src", grant->src, grant->src_count);
		fprintf(out, ", ");
		put_names(out, "dst", grant->dst, grant->dst_count);
		fprintf(out, ", ");
		put_names(out, "ip", grant->ip, grant->ip_count);
		fprintf(out, " }");
	}
	fprintf(out, "] }");
	fclose(out);
	return text;
}
