/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the change from one policy to another means for packets: exactly those that fare otherwise
 * under the grants, as blocks. The order, the names and the form of the grants make no difference.
 */
#ifndef TP_MODEL_DELTA_H
#define TP_MODEL_DELTA_H

#include "model/policy.h"
#include "model/ranges.h"

struct delta_match {
	uint8_t proto;               /* IPPROTO_* */
	uint16_t port_min, port_max; /* host byte order; 0 and 0 where the grants see no ports */
};

/* Whether it is all that a packet of the protocol may have. */
bool delta_match_is_whole(const struct delta_match *match);

/* Every packet from `src` to `dst` that matches. Both sides are of one family. */
struct delta_block {
	bool v4;
	bool any;          /* everything matches */
	struct ranges src; /* normalized */
	struct ranges dst;
	ARRAY_OF(struct delta_match) matches; /* ascending, joined */
};

/* IPv4 first, then by address. No packet is in two blocks. */
struct delta_blocks {
	ARRAY_OF(struct delta_block);
};

struct delta {
	struct delta_blocks allowed; /* by the new policy, and not by the old one */
	struct delta_blocks denied;  /* by the new policy, and not by the old one */
};

/* 0, -ENOMEM or what compile_rules said. *out is delta_free'd. */
int delta_build(const struct policy *old_policy, const struct policy *new_policy,
		struct delta *out);
void delta_free(struct delta *delta);

#endif
