/* SPDX-License-Identifier: GPL-2.0-only */
/* The compiled policy laid out flat, so that it can be walked and asked about single packets. */
#ifndef TP_MODEL_LAYOUT_H
#define TP_MODEL_LAYOUT_H

#include "config/config.h"
#include "model/decide_packet.h"
#include "model/pieces.h"
#include "model/state.h"

/* Protocol and port stand in an address, as in classify.h. */
struct layout {
	const struct tables *tables; /* must outlive it */
	struct pieces src[2];        /* [is IPv4] */
	struct pieces dst[2];
	struct pieces ports;
};

/* 0 or -ENOMEM; layout_free in any case. *out is zeroed by the caller. */
int layout_build(const struct tables *tables, struct layout *out);
void layout_free(struct layout *layout);

/* As the kernel would: whether it is allowed, and by which rule, as decide_classes says. */
bool layout_decide(const struct layout *layout, const struct decide_packet *packet, uint32_t *rule);

/* Protocols and ports of one entry of `ip`, in one family. */
struct addr_range layout_port_range(const struct config_match *match, bool v4);
/* Where a protocol and port (host byte order) stand among layout.ports. */
struct addr layout_port_addr(uint8_t proto, uint16_t port);
/* And back again: the protocol, and the port in host byte order. */
uint8_t layout_proto(const struct addr *addr);
uint16_t layout_port(const struct addr *addr);

#endif
