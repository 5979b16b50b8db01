// SPDX-License-Identifier: GPL-2.0-only
#include "model/ranges.h"

#include <errno.h>
#include <stdlib.h>

int ranges_add(struct ranges *ranges, const struct addr_range *range)
{
	struct addr_range *added = array_add(ranges);

	if (!added)
		return -ENOMEM;

	*added = *range;
	return 0;
}

int ranges_add_addr(struct ranges *ranges, const struct addr *addr)
{
	struct addr_range range = { *addr, *addr };

	return ranges_add(ranges, &range);
}

int ranges_add_prefix(struct ranges *ranges, const struct prefix *prefix)
{
	struct addr_range range = prefix_range(prefix);

	return ranges_add(ranges, &range);
}

int ranges_add_all(struct ranges *ranges, const struct ranges *more)
{
	const struct addr_range *range;
	int r;

	array_for_each(range, more) {
		r = ranges_add(ranges, range);
		if (r)
			return r;
	}
	return 0;
}

int family_compare(const struct addr *a, const struct addr *b)
{
	return (int)addr_is_v4(b) - (int)addr_is_v4(a);
}

static int range_compare(const void *a, const void *b)
{
	const struct addr_range *x = a, *y = b;
	int r = family_compare(&x->first, &y->first);

	if (!r)
		r = addr_compare(&x->first, &y->first);
	return r ? r : addr_compare(&x->last, &y->last);
}

bool range_after(const struct addr_range *range, struct addr *out)
{
	static const struct addr behind_v4 = { .bytes = { [9] = 1 } };

	*out = range->last;
	if (addr_is_v4(&range->first) || !addr_is_v4(&range->last))
		return addr_next(out);

	*out = behind_v4;
	return true;
}

/* Whether `next`, which does not begin before `range`, continues it without a gap. */
static bool range_continues(const struct addr_range *range, const struct addr_range *next)
{
	struct addr after;

	if (family_compare(&range->first, &next->first))
		return false;
	return !range_after(range, &after) || addr_compare(&next->first, &after) <= 0;
}

int ranges_append(struct ranges *ranges, const struct addr_range *range)
{
	struct addr_range *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;

	if (!last || !range_continues(last, range))
		return ranges_add(ranges, range);
	last->last = range->last;
	return 0;
}

void ranges_normalize(struct ranges *ranges)
{
	struct addr_range *last, *range;

	if (!ranges->count)
		return;

	qsort(ranges->items, ranges->count, sizeof(*ranges->items), range_compare);
	last = ranges->items;
	array_for_each(range, ranges) {
		if (!range_continues(last, range))
			*++last = *range;
		else if (addr_compare(&last->last, &range->last) < 0)
			last->last = range->last;
	}
	ranges->count = (size_t)(last - ranges->items) + 1;
	array_fit(ranges); /* neighbours have become few: thousands of addresses, some ranges */
}

bool ranges_has_family(const struct ranges *ranges, bool v4)
{
	const struct addr_range *range;

	array_for_each(range, ranges)
		if (addr_is_v4(&range->first) == v4)
			return true;
	return false;
}
