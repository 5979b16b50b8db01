/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets by chance: valid ones that meet each other, and then some damage. */
#ifndef SELFTESTS_PACKET_ROLL_H
#define SELFTESTS_PACKET_ROLL_H

#include "rig.h"

/* Numbers of one seed; the same everywhere, so that a failure can be had again. */
void roll_seed(uint32_t seed);
uint32_t roll(uint32_t sides);

struct rolled {
	enum hook hook;
	bool mutated;
	uint8_t frame[FRAME_MAX];
	size_t size;
};

/* One packet, about what the model knows to be going on or about nothing. */
void roll_packet(struct rolled *rolled, enum family family);

/*
 * What the stack of a router makes of a packet from the tunnel on its way to a LAN: frames for
 * lan0, TTL lower, now and then in two fragments. How many; 0 if it would not forward it.
 */
size_t stack_forwards(const struct rolled *rolled, uint8_t frames[2][FRAME_MAX], size_t sizes[2]);

#endif
