// SPDX-License-Identifier: GPL-2.0-only
/* The naive reading: what each selector means is spelled out; no code is shared with the model. */
#include "worlds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"

#define MEMBERS                                                                              \
	"\"nodes\": {"                                                                       \
	" \"gw\": { \"public_key\": \"@gw@\", \"addresses\": [\"100.64.0.1\", \"fd7a::1\"]," \
	" \"endpoint\": \"192.0.2.1:1\", \"lan_interfaces\": [\"lan0\", \"lan1\"],"          \
	" \"tags\": [\"tag:r\"], \"advertise_routes\": [\"192.0.2.0/29\","                   \
	" \"2001:db8:30::/125\", \"198.51.100.0/29\", \"2001:db8:31::/125\", \"0.0.0.0/0\"," \
	" \"::/0\"] },"                                                                      \
	" \"br\": { \"public_key\": \"@br@\", \"addresses\": [\"100.64.0.9\", \"fd7a::9\"]," \
	" \"endpoint\": \"198.18.7.9:1\", \"advertise_routes\": [\"10.9.0.0/29\","           \
	" \"fd0a:9::/125\", \"10.9.1.0/29\", \"100.64.0.48/29\", \"fd7a::50/125\"] } },"     \
	" \"peers\": {"                                                                      \
	" \"p1\": { \"public_key\": \"@p1@\", \"addresses\": [\"100.64.0.2\", \"fd7a::2\"]," \
	" \"user\": \"ana\" },"                                                              \
	" \"p2\": { \"public_key\": \"@p2@\", \"addresses\": [\"100.64.0.3\", \"fd7a::3\"]," \
	" \"user\": \"ana\", \"tags\": [\"tag:m\"] },"                                       \
	" \"p3\": { \"public_key\": \"@p3@\", \"addresses\": [\"100.64.0.4\"],"              \
	" \"tags\": [\"tag:m\", \"tag:r\"] } },"
#define NAMES                                                                                     \
	" \"groups\": { \"group:g\": [\"p1\", \"p3\", \"gw\"], \"group:u\": [\"br\", \"ana\"] }," \
	" \"hosts\": { \"h\": \"192.0.2.8/30\", \"h6\": \"2001:db8:30::2-2001:db8:30::5\","       \
	" \"r\": \"192.0.2.2-192.0.2.5\", \"one\": \"10.9.0.3\" },"
/* two of them, for a service has one address; in a prefix of br, so that "*" has it */
#define SERVICES                                                                               \
	" \"services\": {"                                                                     \
	" \"svc\": { \"vip\": \"100.64.0.53\", \"backends\": [\"192.0.2.3\"], \"ports\": ["    \
	" { \"port\": 2, \"protocol\": \"tcp\" }, { \"port\": 3, \"protocol\": \"udp\" } ] }," \
	" \"svc6\": { \"vip\": \"fd7a::53\", \"backends\": [\"2001:db8:30::3\"], \"ports\": [" \
	" { \"port\": 2, \"protocol\": \"tcp\" }, { \"port\": 3, \"protocol\": \"udp\" } ] } },"
/* 198.51.100.0/29, 2001:db8:31::/125 and 10.9.1.0/29 stay unapproved */
#define APPROVERS                                                                      \
	" \"auto_approvers\": { \"routes\": { \"192.0.2.0/24\": [\"tag:r\"],"          \
	" \"2001:db8:30::/64\": [\"gw\"], \"10.9.0.0/29\": [\"br\"], \"fd0a:9::/64\":" \
	" [\"group:u\"], \"100.64.0.0/16\": [\"br\"], \"fd7a::/16\": [\"br\"],"        \
	" \"10.9.1.0/30\": [\"br\"], \"198.51.100.0/24\": [\"br\"],"                   \
	" \"2001:db8:31::/64\": [\"p1\"] }"
#define EXIT ", \"exit_node\": [\"gw\"]"
#define SNAT                                                                                     \
	" \"routes\": { \"192.0.2.0/29\": { \"snat\": \"none\" },"                               \
	" \"2001:db8:30::/125\": { \"snat\": \"none\" }, \"0.0.0.0/0\": { \"snat\": \"none\" }," \
	" \"::/0\": { \"snat\": \"none\" } },"
#define HEAD                                                                               \
	"{ \"version\": 1, \"tunnel\": { \"interface\": \"tp0\" }," MEMBERS NAMES SERVICES \
		APPROVERS "%s }," SNAT " \"grants\": ["

/* What each selector means, spelled out. */
static const struct selector {
	const char *text;
	const char *ranges; /* first-last or one address, split by blanks */
} selectors[] = {
	{ "gw", "100.64.0.1 fd7a::1" },
	{ "br", "100.64.0.9 fd7a::9" },
	{ "p1", "100.64.0.2 fd7a::2" },
	{ "p3", "100.64.0.4" },
	{ "ana", "100.64.0.2 100.64.0.3 fd7a::2 fd7a::3" },
	{ "tag:m", "100.64.0.3 100.64.0.4 fd7a::3" },
	{ "tag:r", "100.64.0.1 100.64.0.4 fd7a::1" },
	{ "group:g", "100.64.0.1 100.64.0.2 100.64.0.4 fd7a::1 fd7a::2" },
	{ "group:u", "100.64.0.2 100.64.0.3 100.64.0.9 fd7a::2 fd7a::3 fd7a::9" },
	{ "h", "192.0.2.8-192.0.2.11" },
	{ "r", "192.0.2.2-192.0.2.5" },
	{ "h6", "2001:db8:30::2-2001:db8:30::5" },
	{ "one", "10.9.0.3" },
	{ "192.0.2.0/29", "192.0.2.0-192.0.2.7" },
	{ "192.0.2.4-192.0.2.9", "192.0.2.4-192.0.2.9" },
	{ "192.0.2.3", "192.0.2.3" },
	{ "10.9.0.0/30", "10.9.0.0-10.9.0.3" },
	{ "10.9.0.3-10.9.1.1", "10.9.0.3-10.9.1.1" },
	{ "2001:db8:30::/125", "2001:db8:30::-2001:db8:30::7" },
	{ "2001:db8:30::3-2001:db8:30::9", "2001:db8:30::3-2001:db8:30::9" },
	{ "2001:db8:30::3", "2001:db8:30::3" },
	{ "fd0a:9::/126", "fd0a:9::-fd0a:9::3" },
	{ "fd0a:9::3-fd0a:9::8", "fd0a:9::3-fd0a:9::8" },
	{ "0.0.0.0/0", "0.0.0.0-255.255.255.255" },
	{ "::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "::/80", "::-::fffe:ffff:ffff" },
	{ "::fffe:0:0/96", "::fffe:0:0-::fffe:ffff:ffff" }, /* up to the IPv4 hole */
	/* those that mean more as a destination */
	{ "svc", "100.64.0.53" },
	{ "svc6", "fd7a::53" },
	{ "*", "100.64.0.1-100.64.0.4 100.64.0.9 fd7a::1-fd7a::3 fd7a::9 192.0.2.0-192.0.2.7 "
	       "2001:db8:30::-2001:db8:30::7 10.9.0.0-10.9.0.7 fd0a:9::-fd0a:9::7 "
	       "100.64.0.48-100.64.0.55 fd7a::50-fd7a::57" },
};
#define SERVICE (ARRAY_SIZE(selectors) - 3) /* and the one behind it */
#define ANY     (ARRAY_SIZE(selectors) - 1)

static const struct match {
	const char *text;
	int proto, port_min, port_max; /* proto 0: every one; -1: TCP and UDP; 1: ICMP */
} matches[] = {
	{ "*", 0, 0, 65535 },       { "2", -1, 2, 2 },
	{ "3-4", -1, 3, 4 },        { "tcp:2-4", 6, 2, 4 },
	{ "tcp:*", 6, 0, 65535 },   { "udp:1-65535", 17, 1, 65535 },
	{ "udp:3-5", 17, 3, 5 },    { "udp:*", 17, 0, 65535 },
	{ "icmp:*", 1, 0, 65535 },  { "sctp:2-65535", 132, 2, 65535 },
	{ "sctp:1", 132, 1, 1 },    { "proto:47", 47, 0, 65535 },
	{ "proto:6", 6, 0, 65535 }, { "tcp:65535", 6, 65535, 65535 },
	{ "tcp:1", 6, 1, 1 },
};

#define MESH_SENDER WORLD_MESH, WORLD_TUNNEL
#define LAN_HOST    WORLD_LAN, WORLD_ROUTED
#define OUTSIDE     WORLD_LAN, WORLD_OUTSIDE
#define NOBODY      WORLD_SILENT, WORLD_NOWHERE
#define VIRTUAL     WORLD_SILENT, WORLD_SERVICE

const struct world_place world_places[2][WORLD_PLACES] = {
	{
		{ "fd7a::1", WORLD_SILENT, WORLD_TUNNEL },
		{ "fd7a::2", MESH_SENDER },
		{ "fd7a::3", MESH_SENDER },
		{ "fd7a::4", NOBODY },
		{ "fd7a::9", MESH_SENDER },
		{ "fd7a::53", VIRTUAL },
		{ "2001:db8:30::", WORLD_LAN, WORLD_NOWHERE }, /* RFC 4291 2.6.1: gw's as well */
		{ "2001:db8:30::1", WORLD_SILENT, WORLD_ROUTED },
		{ "2001:db8:30::2", LAN_HOST },
		{ "2001:db8:30::3", LAN_HOST },
		{ "2001:db8:30::7", LAN_HOST },
		{ "2001:db8:30::8", OUTSIDE },
		{ "2001:db8:30::a", OUTSIDE },
		{ "fd0a:9::", MESH_SENDER },
		{ "fd0a:9::3", MESH_SENDER },
		{ "fd0a:9::7", MESH_SENDER },
		{ "fd0a:9::8", NOBODY },
		{ "2001:db8:31::2", OUTSIDE },
		{ "::", NOBODY },
		{ "::fffe:ffff:ffff", OUTSIDE },
		{ "::1:0:0:0", OUTSIDE },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NOBODY },
		{ NULL },
	},
	{
		{ "100.64.0.1", WORLD_SILENT, WORLD_TUNNEL },
		{ "100.64.0.2", MESH_SENDER },
		{ "100.64.0.3", MESH_SENDER },
		{ "100.64.0.4", MESH_SENDER },
		{ "100.64.0.9", MESH_SENDER },
		{ "100.64.0.53", VIRTUAL },
		{ "192.0.2.0", LAN_HOST },
		{ "192.0.2.1", WORLD_SILENT, WORLD_ROUTED },
		{ "192.0.2.2", LAN_HOST },
		{ "192.0.2.3", LAN_HOST },
		{ "192.0.2.5", LAN_HOST },
		{ "192.0.2.6", LAN_HOST },
		{ "192.0.2.8", OUTSIDE },
		{ "192.0.2.11", OUTSIDE },
		{ "10.9.0.0", MESH_SENDER },
		{ "10.9.0.3", MESH_SENDER },
		{ "10.9.0.7", MESH_SENDER },
		{ "10.9.1.1", OUTSIDE },
		{ "10.9.1.2", OUTSIDE },
		{ "198.51.100.2", OUTSIDE },
		{ "203.0.113.5", OUTSIDE },
		{ "0.0.0.0", NOBODY },
		{ "255.255.255.255", NOBODY },
		{ NULL },
	},
};

const struct world_port world_ports[WORLD_PORTS] = {
	{ 6, 1 },     { 6, 2 },      { 6, 3 },   { 6, 4 },   { 6, 5 },       { 6, 65534 },
	{ 6, 65535 }, { 17, 1 },     { 17, 2 },  { 17, 3 },  { 17, 4 },      { 17, 5 },
	{ 17, 6 },    { 17, 65535 }, { 132, 1 }, { 132, 2 }, { 132, 65535 }, { 1, 0 },
	{ 47, 0 },    { 46, 0 },     { 0, 0 },   { 255, 0 },
};

static uint32_t state; /* of the dice */

void world_seed(uint32_t seed)
{
	state = seed ? seed : 1;
}

/* xorshift32: the same numbers everywhere, so that a failure can be had again. */
uint32_t world_dice(uint32_t sides)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % sides;
}

/* ---- the naive reading ---- */

static bool has_addr(const char *ranges, const struct addr *addr)
{
	char text[512], *rest = text, *word;
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
			for (j = 0; world_places[v4][j].text; j++) {
				struct addr addr;

				if (addr_read(world_places[v4][j].text, &addr))
					abort();
				holds[i][v4][j] = has_addr(selectors[i].ranges, &addr);
			}
}

static bool match_has(const struct match *match, const struct world_port *port)
{
	bool same = match->proto == -1 ? port->proto == 6 || port->proto == 17
				       : !match->proto || match->proto == port->proto;

	return same && port->port >= match->port_min && port->port <= match->port_max;
}

/* Either service. */
static bool service_has(const struct world_port *port)
{
	return (port->proto == 6 && port->port == 2) || (port->proto == 17 && port->port == 3);
}

bool world_serves(const struct world_packet *packet)
{
	return world_places[packet->v4][packet->dst].way != WORLD_SERVICE ||
	       service_has(&packet->port);
}

static bool is_service(size_t selector)
{
	return selector == SERVICE || selector == SERVICE + 1;
}

static bool to_has(const struct world *world, size_t selector, const struct world_packet *packet)
{
	if (selector == ANY && world->exit)
		return true;
	if (is_service(selector) && !service_has(&packet->port))
		return false;
	return holds[selector][packet->v4][packet->dst];
}

static bool grant_has(const struct world *world, const struct grant *grant,
		      const struct world_packet *packet)
{
	bool from = false, to = false, match = !grant->ip_count;
	size_t i;

	for (i = 0; i < grant->src_count; i++)
		from |= holds[grant->src[i]][packet->v4][packet->src];
	for (i = 0; i < grant->dst_count; i++)
		to |= to_has(world, grant->dst[i], packet);
	for (i = 0; i < grant->ip_count; i++)
		match |= match_has(&matches[grant->ip[i]], &packet->port);
	return from && to && match;
}

int world_decide(const struct world *world, const struct world_packet *packet)
{
	int accepts = -1;
	size_t i;

	for (i = 0; i < world->count; i++) {
		if (!grant_has(world, &world->grants[i], packet))
			continue;
		if (world->grants[i].deny)
			return (int)i;
		if (accepts < 0)
			accepts = (int)i;
	}
	return accepts;
}

bool world_allows(const struct world *world, const struct world_packet *packet)
{
	int grant = world_decide(world, packet);

	return grant >= 0 && !world->grants[grant].deny;
}

/* ---- policies ---- */

/* Often everything, or most packets would be in no grant. */
static size_t roll_selector(void)
{
	return world_dice(4) ? world_dice(ARRAY_SIZE(selectors)) : ANY;
}

static struct grant roll_grant(void)
{
	struct grant grant = { .deny = !world_dice(4),
			       .src_count = world_dice(NAMES_MAX) + 1,
			       .dst_count = world_dice(NAMES_MAX) + 1,
			       .ip_count = world_dice(NAMES_MAX + 1) };
	size_t i;

	for (i = 0; i < NAMES_MAX; i++) {
		grant.src[i] = roll_selector();
		grant.dst[i] = roll_selector();
		grant.ip[i] = world_dice(ARRAY_SIZE(matches));
	}
	return grant;
}

void world_roll(struct world *world, size_t grants_max)
{
	size_t i;

	world->exit = world_dice(2);
	world->count = world_dice((uint32_t)grants_max) + 1;
	for (i = 0; i < world->count; i++)
		world->grants[i] = roll_grant();
}

/* Another order says the same. */
void world_shuffle(struct world *world)
{
	size_t i;

	for (i = world->count; i > 1; i--) {
		size_t j = world_dice((uint32_t)i);
		struct grant grant = world->grants[j];

		world->grants[j] = world->grants[i - 1];
		world->grants[i - 1] = grant;
	}
}

void world_edit(struct world *world, size_t grants_max)
{
	switch (world_dice(4)) {
	case 0: world_roll(world, grants_max); break;
	case 1: world->count--; break;
	case 2: world->exit = !world->exit; break;
	default: world->grants[world_dice((uint32_t)world->count)] = roll_grant(); break;
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
		if (grant->ip_count) {
			fprintf(out, ", ");
			put_names(out, "ip", grant->ip, grant->ip_count);
		}
		fprintf(out, " }");
	}
	fprintf(out, "] }");
	fclose(out);
	return text;
}
