/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of addresses as lists of ranges. The two families never mix within one range. */
#ifndef TP_MODEL_RANGES_H
#define TP_MODEL_RANGES_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/array.h"

struct ranges {
	ARRAY_OF(struct addr_range);
};

/* All return 0 or -ENOMEM. */
int ranges_add(struct ranges *ranges, const struct addr_range *range);
int ranges_add_addr(struct ranges *ranges, const struct addr *addr);
int ranges_add_prefix(struct ranges *ranges, const struct prefix *prefix);
/* Adds one that begins behind all others of its family, joined to the last where it continues it.
 */
int ranges_append(struct ranges *ranges, const struct addr_range *range);
int ranges_add_all(struct ranges *ranges, const struct ranges *more);

/* Sorts by family, IPv4 first, then by address; joins what overlaps or touches. */
void ranges_normalize(struct ranges *ranges);
/*
 * The address behind a range, of the same family; false when there is none. An IPv6 range may end
 * inside the IPv4 hole: ::/80 does.
 */
bool range_after(const struct addr_range *range, struct addr *out);

bool ranges_has_family(const struct ranges *ranges, bool v4);

/* IPv4 before IPv6, whatever the bytes say: an IPv6 prefix may surround all of ::ffff:0:0/96. */
int family_compare(const struct addr *a, const struct addr *b);

#endif
