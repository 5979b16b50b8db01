/* SPDX-License-Identifier: GPL-2.0-only */
/* A datagram in three fragments, of which none can stand for another. */
#ifndef SELFTESTS_PACKET_PIECES_H
#define SELFTESTS_PACKET_PIECES_H

#include "packet.h"

/* Behind eight bytes of UDP or ICMP header: 104 bytes to cut up. */
#define LONG                                                                                       \
	.payload =                                                                                 \
		"It is cut at 48 and at 96, and no part is like another: no piece of it is taken " \
		"for one",                                                                         \
	.payload_size = 96

#define FIRST  LONG, PIECE(0, 48)
#define MIDDLE LONG, PIECE(48, 96)
#define LAST   LONG, PIECE(96, 0)

#endif
