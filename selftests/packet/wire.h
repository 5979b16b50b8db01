/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets as a careful reader of the RFCs reads them, for the model of test_property.c. Nothing
 * here is shared with the programs under test, nor with what makes the packets of the tables.
 */
#ifndef SELFTESTS_PACKET_WIRE_H
#define SELFTESTS_PACKET_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

/* One end of a packet. IPv4 is kept mapped. */
struct end {
	uint8_t addr[16];
	uint16_t port; /* host byte order */
};

struct wire {
	enum family family;
	struct end src, dst; /* of an echo the identifier is both ports */
	uint8_t proto, ttl, tcp_flags, icmp_type;
	size_t l4;                /* offset of the transport header, from the IP header on */
	size_t length;            /* of the packet, as its header says */
	bool options;             /* IPv4 */
	bool ports;               /* src.port and dst.port may be translated */
	bool query, reply, error; /* ICMP */
	bool fragment, more;
	uint16_t offset; /* of the fragment, bytes */
	uint32_t id;
};

/* False: not valid, to whom it may concern. What is behind the packet's length is ignored. */
bool wire_read(const uint8_t *ip, size_t size, struct wire *wire);

/* The same for a packet that an error quotes: cut off behind eight bytes of transport header. */
bool wire_read_quote(const uint8_t *ip, size_t size, struct wire *wire);

/*
 * The one's complement sum over transport and pseudo header: 0xffff if the checksum is right. As
 * wrong as it was, after a translation; never 0. Of a UDP datagram without checksum: 0.
 */
uint16_t wire_sum(const uint8_t *ip, const struct wire *wire);

/* Whether the header checksum of IPv4 is right. */
bool wire_header_is_right(const uint8_t *ip, const struct wire *wire);

/* Puts right what can be put right: length of nothing, but both checksums. */
void wire_mend_header(uint8_t *ip, size_t size);
void wire_mend_transport(uint8_t *ip, const struct wire *wire);

/* Offset of the transport checksum from the IP header on; 0: the protocol has none we know. */
size_t wire_check_at(const struct wire *wire);

/* Zeroes what a router or a translator may change, for a comparison of the rest. */
void wire_blank(uint8_t *ip, const struct wire *wire);

#endif
