/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets of our own making, to be put through a program by BPF_PROG_TEST_RUN. */
#ifndef TP_KERNEL_FRAME_H
#define TP_KERNEL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "model/decide_packet.h"

#define FRAME_SIZE_MAX 128
#define FRAME_SPORT    49152 /* the first that clients take (RFC 6335 6); no grant asks for it */
#define FRAME_TTL      64

/* Ports in host byte order. Of an ICMP echo request sport is the identifier. */
struct frame {
	struct decide_packet packet;
	uint16_t sport;
	uint8_t ttl;
	uint8_t tcp_flags;
	uint16_t mss;    /* TCP: an option that tells it; 0: none */
	uint8_t dmac[6]; /* of the Ethernet header in front */
};

/* Writes the frame, checksums right; returns its size. out of FRAME_SIZE_MAX bytes. */
size_t frame_put(uint8_t *out, const struct frame *frame);

#endif
