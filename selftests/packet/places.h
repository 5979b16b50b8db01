/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is where in the world of the packet tier: each name is an address of both families. */
#ifndef SELFTESTS_PACKET_PLACES_H
#define SELFTESTS_PACKET_PLACES_H

#include <stdint.h>

#include "packet.h"

struct place {
	const char *name;
	const char *v4, *v6;
	uint8_t mac[6]; /* known to the neighbour table; zero: not */
};

/* A name of places.c or a literal; writes 4 or 16 bytes. Ends the program when it is neither. */
void places_put_addr(const char *name, enum family family, uint8_t *out);

/* The text of an address of a place. */
const char *places_text(const char *name, enum family family);

/* NULL when the name is a literal. */
const struct place *places_find(const char *name);
const struct place *
places_next(const struct place *place); /* NULL: the first, and after the last */

#endif
