/* SPDX-License-Identifier: GPL-2.0-only */
/* The policy of test_property.c, as its model reads it. */
#ifndef SELFTESTS_PACKET_MODEL_POLICY_H
#define SELFTESTS_PACKET_MODEL_POLICY_H

#include "base/addr.h"
#include "wire.h"

enum place_kind {
	PLACE_ELSEWHERE,
	PLACE_MESH,
	PLACE_EXPIRED,     /* a member whose key has expired */
	PLACE_SELF,        /* this node's address in the mesh */
	PLACE_HOST,        /* this node's address on a LAN */
	PLACE_MASQUERADED, /* reached with the address of the LAN device */
	PLACE_PLAIN,       /* reached as it is */
};

/* The policy file. */
const char *model_policy(void);

enum place_kind model_place(const uint8_t addr[16], enum family family);

/* Whether the grants let source, destination, protocol and port pass. */
bool model_grants(const struct wire *wire);

#endif
