/* SPDX-License-Identifier: GPL-2.0-only */
/* Random small policies over a few addresses and ports, and what they allow, naively read. */
#ifndef SELFTESTS_WORLDS_H
#define SELFTESTS_WORLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX  2
#define GRANTS_MAX 8

struct grant {
	bool deny;
	size_t src[NAMES_MAX], dst[NAMES_MAX], ip[NAMES_MAX];
	size_t src_count, dst_count, ip_count;
};

struct world {
	bool exit; /* the default routes are approved */
	struct grant grants[GRANTS_MAX];
	size_t count;
};

struct world_port {
	int proto, port; /* ICMP is 1 in both families */
};

#define WORLD_PLACES 18
#define WORLD_PORTS  21
extern const char *const world_places[2][WORLD_PLACES]; /* [is IPv4]; NULL behind the last */
extern const struct world_port world_ports[WORLD_PORTS];
extern uint32_t world_random; /* not 0 */

void world_begin(void); /* before anything else */
void world_roll(struct world *world);
void world_shuffle(struct world *world); /* another order says the same */
void world_edit(struct world *world);
char *world_put(const struct world *world); /* as a policy; the caller's */
/* src and dst are indexes of world_places. */
bool world_allows(const struct world *world, int v4, size_t src, size_t dst, int proto, int port);

#endif
