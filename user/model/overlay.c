// SPDX-License-Identifier: GPL-2.0-only
#include "model/overlay.h"

#include <errno.h>
#include <netinet/in.h>

#include "model/classify.h"

/* The address before one that is not the first of all. */
static struct addr before(struct addr addr)
{
	size_t i = sizeof(addr.bytes);

	while (i-- && !addr.bytes[i]--)
		; /* borrow from the byte in front */
	return addr;
}

static int add_range(struct overlay *overlay, const struct addr_range *range,
		     const uint32_t classes[DELTA_SIDES])
{
	struct overlay_range *added = array_add(&overlay->ranges);

	if (!added)
		return -ENOMEM;
	added->range = *range;
	return intern_add(&overlay->groups, classes, DELTA_SIDES * sizeof(*classes), &added->group);
}

/* Where each side stands. */
struct walk {
	const struct piece *at[DELTA_SIDES];
	const struct piece *end[DELTA_SIDES];
};

/* Where the next piece of either side begins; false when none does before `last` is passed. */
static bool next_first(const struct walk *walk, const struct addr *last, struct addr *out)
{
	bool found = false;
	int side;

	for (side = 0; side < DELTA_SIDES; side++) {
		const struct piece *next = walk->at[side] + 1;

		if (next == walk->end[side] || addr_compare(&next->first, last) > 0)
			continue;
		if (!found || addr_compare(&next->first, out) < 0)
			*out = next->first;
		found = true;
	}
	return found;
}

static void step(struct walk *walk, const struct addr *first)
{
	int side;

	for (side = 0; side < DELTA_SIDES; side++)
		while (walk->at[side] + 1 < walk->end[side] &&
		       addr_compare(&walk->at[side][1].first, first) <= 0)
			walk->at[side]++;
}

int overlay_add(struct overlay *overlay, const struct pieces *const sides[DELTA_SIDES],
		const struct addr_range *span)
{
	struct addr_range range = { .first = span->first };
	struct addr next = { 0 };
	struct walk walk;
	bool more = true;
	int side, r = 0;

	for (side = 0; side < DELTA_SIDES; side++) {
		walk.at[side] = pieces_find(sides[side], &span->first);
		walk.end[side] = sides[side]->items + sides[side]->count;
	}
	for (; !r && more; range.first = next) {
		uint32_t classes[DELTA_SIDES] = { walk.at[DELTA_OLD]->class_id,
						  walk.at[DELTA_NEW]->class_id };

		more = next_first(&walk, &span->last, &next);
		range.last = more ? before(next) : span->last;
		r = add_range(overlay, &range, classes);
		if (more)
			step(&walk, &next);
	}
	return r;
}

/*
 * No piece of IPv6 begins in the hole that IPv4 makes in it, for range_after goes on behind it: one
 * that reaches the hole ends with it.
 */
int overlay_add_family(struct overlay *overlay, const struct pieces *const sides[DELTA_SIDES],
		       bool v4)
{
	static const struct prefix all = { .len = 0 };
	struct addr_range span = prefix_range(v4 ? &classify_v4_space : &all);

	return overlay_add(overlay, sides, &span);
}

int overlay_add_ports(struct overlay *overlay, const struct pieces *const sides[DELTA_SIDES],
		      bool v4)
{
	unsigned int proto;
	int r = 0;

	for (proto = 0; !r && proto <= UINT8_MAX; proto++) {
		bool ports = decide_has_ports((uint8_t)proto);
		struct addr_range span = {
			layout_port_addr((uint8_t)proto, ports ? 1 : 0),
			layout_port_addr((uint8_t)proto, ports ? UINT16_MAX : 0),
		};

		/* the ICMP of the other family is refused before any grant is asked */
		if (proto != (v4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
			r = overlay_add(overlay, sides, &span);
	}
	return r;
}

void overlay_free(struct overlay *overlay)
{
	intern_free(&overlay->groups);
	array_clear(&overlay->ranges);
}
