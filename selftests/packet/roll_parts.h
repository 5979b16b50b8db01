/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_PACKET_ROLL_PARTS_H
#define SELFTESTS_PACKET_ROLL_PARTS_H

#include "roll.h"

/* The bytes behind an ICMP header, and its checksum with them. */
void roll_put_payload(struct rolled *rolled, enum family family, const uint8_t *bytes, size_t size);

/* Damage: by bytes, by length, by fields; some of it with the checksums put right again. */
void roll_damage(struct rolled *rolled, enum family family);

#endif
