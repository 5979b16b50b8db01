// SPDX-License-Identifier: GPL-2.0-only
#include "model/local_vips.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int vip_compare(const void *a, const void *b)
{
	const struct local_vip *x = a, *y = b;

	return addr_compare(&x->addr, &y->addr);
}

struct local_vip *local_vips_find(const struct local_vips *vips, const struct addr *addr)
{
	struct local_vip key = { .addr = *addr };

	return vips->count ? bsearch(&key, vips->items, vips->count, sizeof(key), vip_compare)
			   : NULL;
}

static bool is_in(const struct addr_range *range, const struct addr *addr)
{
	return addr_compare(&range->first, addr) <= 0 && addr_compare(addr, &range->last) <= 0;
}

/* -1: in none. */
static int find_place(const struct state_local_vips *ranges, size_t count, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (is_in(&ranges[i].range, addr))
			return (int)i;
	return -1;
}

/* All of them, or nothing when there are more than that. */
static size_t count_addresses(const struct state *want)
{
	const struct state_local_vips *vips;
	size_t total = 0;

	array_for_each(vips, &want->local_vips) {
		struct addr addr = vips->range.first;

		do {
			if (++total > LOCAL_VIPS_ALWAYS)
				return 0;
		} while (addr_compare(&addr, &vips->range.last) < 0 && addr_next(&addr));
	}
	return total;
}

static int add(struct local_vips *vips, const struct addr *addr, uint32_t place, int64_t now_ms)
{
	struct local_vip *vip = array_add(vips);

	if (!vip)
		return -ENOMEM;
	vip->addr = *addr;
	vip->place = place;
	vip->used_ms = now_ms - LOCAL_VIP_IN_USE_MS;
	vip->due_ms = now_ms;
	qsort(vips->items, vips->count, sizeof(*vips->items), vip_compare);
	return 0;
}

static int add_always(struct local_vips *vips, const struct state *want, int64_t now_ms)
{
	size_t i;
	int r = 0;

	for (i = 0; i < want->local_vips.count; i++) {
		const struct addr_range *range = &want->local_vips.items[i].range;
		struct addr addr = range->first;
		struct local_vip *vip;

		do {
			if (!local_vips_find(vips, &addr))
				r = add(vips, &addr, (uint32_t)i, now_ms);
			vip = local_vips_find(vips, &addr);
			if (vip)
				vip->always = true;
		} while (!r && addr_compare(&addr, &range->last) < 0 && addr_next(&addr));
	}
	return r;
}

/* Notes in which range each is by now, and drops those in none. */
static void place_all(struct local_vips *vips, const struct state *want)
{
	size_t i, kept = 0;

	for (i = 0; i < vips->count; i++) {
		struct local_vip *vip = &vips->items[i];
		int place = find_place(want->local_vips.items, want->local_vips.count, &vip->addr);

		vip->always = false;
		vip->place = (uint32_t)place;
		if (place >= 0)
			vips->items[kept++] = *vip;
	}
	vips->count = kept;
}

int local_vips_follow(struct local_vips *vips, const struct state *want, int64_t now_ms)
{
	place_all(vips, want);
	return count_addresses(want) ? add_always(vips, want, now_ms) : 0;
}

int local_vips_meet(struct local_vips *vips, const struct state_local_vips *ranges, size_t count,
		    const struct addr *addr, const struct tp_local_vip *row, int64_t now_ms)
{
	struct local_vip *vip = local_vips_find(vips, addr);
	int place = find_place(ranges, count, addr);

	if (place < 0)
		return -ENOENT;
	if (!vip) {
		if (add(vips, addr, (uint32_t)place, now_ms))
			return -ENOMEM;
		vip = local_vips_find(vips, addr);
		vip->where = row->where;
	}
	if (vip->used == row->used)
		return 0;
	vip->used = row->used;
	vip->used_ms = now_ms;
	if (vip->due_ms > now_ms + LOCAL_VIP_ASK_MS) /* it was at rest */
		vip->due_ms = now_ms;
	return 0;
}

static bool is_in_use(const struct local_vip *vip, int64_t now_ms)
{
	return now_ms - vip->used_ms < LOCAL_VIP_IN_USE_MS;
}

bool local_vip_is_idle(const struct local_vip *vip, int64_t now_ms)
{
	return !vip->always && !is_in_use(vip, now_ms);
}

static int64_t rest_ms(const struct local_vip *vip, int64_t now_ms)
{
	return is_in_use(vip, now_ms) ? LOCAL_VIP_ASK_MS : LOCAL_VIP_REST_MS;
}

bool local_vip_hear(struct local_vip *vip, int64_t now_ms)
{
	bool changed = vip->where != TP_VIP_ELSEWHERE;

	vip->where = TP_VIP_ELSEWHERE;
	vip->asked = false;
	vip->missed = 0;
	vip->due_ms = now_ms + rest_ms(vip, now_ms);
	return changed;
}

bool local_vip_look(struct local_vip *vip, int64_t now_ms, bool *ask)
{
	bool changed = false;

	*ask = now_ms >= vip->due_ms;
	if (!*ask)
		return false;
	if (vip->asked && ++vip->missed >= LOCAL_VIP_MISSES) {
		changed = vip->where != TP_VIP_HERE;
		vip->where = TP_VIP_HERE;
	}
	vip->asked = true;
	/* one that is here already is asked for in case that somebody comes: there is no hurry */
	vip->due_ms =
		now_ms + (vip->where == TP_VIP_HERE ? rest_ms(vip, now_ms) : LOCAL_VIP_AGAIN_MS);
	return changed;
}
