/* SPDX-License-Identifier: GPL-2.0-only */
/* What a first policy for this machine can go by: its LAN, and mesh addresses that are free. */
#ifndef TP_MODEL_FIRST_H
#define TP_MODEL_FIRST_H

#include "base/err.h"
#include "model/facts.h"

#define FIRST_RANDOM_BYTES 5 /* of an IPv6 prefix: the Global ID of RFC 4193, section 3.2 */

/* Two addresses each, IPv4 and IPv6 in this order. */
struct first {
	char lan[IF_NAMESIZE];
	ARRAY_OF(struct prefix) routes; /* the LAN's, IPv4 before IPv6, each once */
	struct addr lan_addr;           /* this machine's own there: IPv4 if it has one */
	struct addr node[2], peer[2];
};

/*
 * lan: the device's name, or NULL for the one that private prefixes (RFC 1918, RFC 4193) are
 * connected to. random: FIRST_RANDOM_BYTES of it. -ENODEV when there is no such device, or when
 * it is not clear which is meant. *out is first_free'd either way.
 */
int first_find(const struct facts *facts, const char *lan, const uint8_t *random, struct first *out,
	       struct err *err);
void first_free(struct first *first);

#endif
