/* SPDX-License-Identifier: GPL-2.0-only */
/* A compiled policy laid out flat: pieces of addresses and ports inside which all fare alike. */
#ifndef TP_MODEL_LAYOUT_H
#define TP_MODEL_LAYOUT_H

#include "model/pieces.h"
#include "model/policy.h"
#include "model/state.h"

struct layout {
	const struct policy *policy;
	struct tables tables;
	struct pieces src[2]; /* [is IPv4] */
	struct pieces dst[2];
	struct pieces ports;
};

/* 0, -ENOMEM or what compile_rules said. layout_free in any case. */
int layout_build(const struct policy *policy, struct layout *out);
void layout_free(struct layout *layout);

/* Where a protocol and port (host byte order) stand among layout.ports. */
struct addr layout_port_addr(uint8_t proto, uint16_t port);
/* Whether the grants see ports of this protocol; without ports it stands at port 0. */
bool layout_has_ports(uint8_t proto);

#endif
