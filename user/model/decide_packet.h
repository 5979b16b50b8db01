/* SPDX-License-Identifier: GPL-2.0-only */
/* What grants see of a packet. */
#ifndef TP_MODEL_DECIDE_PACKET_H
#define TP_MODEL_DECIDE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct decide_packet {
	uint8_t proto; /* IPPROTO_* */
	struct addr src;
	struct addr dst;
	uint16_t port; /* destination, host byte order; 0 where the protocol has none */
};

/* Whether grants know ports of this protocol. */
bool decide_has_ports(uint8_t proto);

/* "tcp", or NULL for a protocol that policies call by its number. */
const char *decide_proto_name(uint8_t proto);

/* buf of DECIDE_PACKET_TEXT_SIZE; returns buf: "tcp 100.80.0.10 -> 10.10.30.11:22". */
#define DECIDE_PACKET_TEXT_SIZE (2 * ADDR_TEXT_SIZE + 44)
const char *decide_packet_put(char *buf, const struct decide_packet *packet);

#endif
