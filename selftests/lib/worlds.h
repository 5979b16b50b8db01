/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies over a small mesh, a few addresses and ports, and what they allow, naively read.
 * The mesh fits the machine that the packet tier makes (selftests/packet/world.c).
 */
#ifndef SELFTESTS_WORLDS_H
#define SELFTESTS_WORLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX  2
#define GRANTS_MAX 100

struct grant {
	bool deny;
	size_t src[NAMES_MAX], dst[NAMES_MAX], ip[NAMES_MAX];
	size_t src_count, dst_count;
	size_t ip_count; /* 0: left out */
};

struct world {
	bool exit; /* the default routes are approved */
	struct grant grants[GRANTS_MAX];
	size_t count;
};

struct world_port {
	int proto, port; /* ICMP is 1 in both families */
};

/* As the node "gw" sees it. */
struct world_place {
	const char *text; /* NULL behind the last */
	enum world_source {
		WORLD_SILENT, /* nobody's address, or not one that anybody may send from */
		WORLD_MESH,   /* a member's, or of an approved route of another node */
		WORLD_LAN,    /* neither: it may come in by a LAN device */
	} source;
	enum world_way {
		WORLD_NOWHERE, /* the programs send nothing there, whatever grants say */
		WORLD_OUTSIDE, /* by a default route alone */
		WORLD_ROUTED,  /* behind gw, by an approved route */
		WORLD_TUNNEL,  /* gw itself, or through the tunnel */
		WORLD_SERVICE, /* by gw itself, where a service has the port */
	} way;
};

#define WORLD_PLACES 24
#define WORLD_PORTS  22
extern const struct world_place world_places[2][WORLD_PLACES]; /* [is IPv4] */
extern const struct world_port world_ports[WORLD_PORTS];

void world_begin(void); /* before anything else */
void world_seed(uint32_t seed);
uint32_t world_dice(uint32_t sides); /* 0 to sides - 1 */
/* One grant or more, at most that many. */
void world_roll(struct world *world, size_t grants_max);
void world_shuffle(struct world *world); /* another order says the same */
void world_edit(struct world *world, size_t grants_max);
char *world_put(const struct world *world); /* as a policy; the caller's */

/* src and dst are indexes of world_places. */
struct world_packet {
	int v4;
	size_t src, dst;
	struct world_port port;
};
/* The first grant in the file that denies it, else the first that accepts it, else -1. */
int world_decide(const struct world *world, const struct world_packet *packet);
/* False: to a service's address, and to no port that it has. */
bool world_serves(const struct world_packet *packet);
bool world_allows(const struct world *world, const struct world_packet *packet);

#endif
