// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/classify.h"
#include "model/delta_parts.h"

/* The vectors of a group, one of each policy. */
static void read_bits(const struct overlay *overlay, uint32_t group,
		      const struct layout *const layouts[DELTA_SIDES],
		      const struct tp_rule_bits *sides[DELTA_SIDES])
{
	size_t size;
	const uint32_t *classes = intern_get(&overlay->groups, group, &size);
	int side;

	for (side = 0; side < DELTA_SIDES; side++)
		sides[side] = &layouts[side]->tables->classes.items[classes[side]];
}

static bool share_rule(const struct tp_rule_bits *a, const struct tp_rule_bits *b)
{
	uint64_t left;

	for (left = a->summary & b->summary; left; left &= left - 1) {
		int word = __builtin_ctzll(left);

		if (a->words[word] & b->words[word])
			return true;
	}
	return false;
}

static bool has_changed(const struct tp_rule_bits *const sides[DELTA_SIDES],
			const struct delta_bits *changed)
{
	return share_rule(sides[DELTA_OLD], &changed->side[DELTA_OLD]) ||
	       share_rule(sides[DELTA_NEW], &changed->side[DELTA_NEW]);
}

static void and_bits(struct tp_rule_bits *out, const struct tp_rule_bits *a,
		     const struct tp_rule_bits *b)
{
	uint64_t left;

	memset(out, 0, sizeof(*out));
	for (left = a->summary & b->summary; left; left &= left - 1) {
		int word = __builtin_ctzll(left);

		out->words[word] = a->words[word] & b->words[word];
		if (out->words[word])
			out->summary |= 1ULL << word;
	}
}

void delta_narrow(const struct overlay *overlay, const struct layout *const layouts[DELTA_SIDES],
		  const struct delta_bits *changed, struct delta_bits *relevant)
{
	const struct tp_rule_bits *sides[DELTA_SIDES];
	struct delta_bits met = { 0 };
	uint32_t group;
	int side;

	for (group = 0; group < overlay->groups.items.count; group++) {
		read_bits(overlay, group, layouts, sides);
		if (!has_changed(sides, changed))
			continue;
		for (side = 0; side < DELTA_SIDES; side++)
			rule_bits_or(&met.side[side], sides[side]);
	}
	for (side = 0; side < DELTA_SIDES; side++) {
		struct tp_rule_bits before = relevant->side[side];

		and_bits(&relevant->side[side], &before, &met.side[side]);
	}
}

#define NO_GROUP UINT32_MAX

/* The new group of each old one, NO_GROUP for those without a changed rule. */
static int regroup(const struct overlay *overlay, const struct layout *const layouts[DELTA_SIDES],
		   const struct delta_bits *changed, const struct delta_bits *relevant,
		   struct intern *groups, uint32_t *number)
{
	const struct tp_rule_bits *sides[DELTA_SIDES];
	struct delta_bits bits;
	uint32_t group;
	int side, r = 0;

	for (group = 0; !r && group < overlay->groups.items.count; group++) {
		read_bits(overlay, group, layouts, sides);
		number[group] = NO_GROUP;
		if (!has_changed(sides, changed))
			continue;
		for (side = 0; side < DELTA_SIDES; side++)
			and_bits(&bits.side[side], sides[side], &relevant->side[side]);
		r = intern_add(groups, &bits, sizeof(bits), &number[group]);
	}
	return r;
}

static int range_compare(const void *a, const void *b)
{
	const struct overlay_range *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return addr_compare(&x->range.first, &y->range.first);
}

static int take_range(const struct overlay_range *range, uint32_t group, struct overlay_ranges *out)
{
	struct overlay_range *added = array_add(out);

	if (!added)
		return -ENOMEM;
	added->range = range->range;
	added->group = group;
	return 0;
}

static int take_ranges(const struct overlay *overlay, const uint32_t *number,
		       struct delta_axis *axis)
{
	const struct overlay_range *range;
	int r = 0;

	array_for_each(range, &overlay->ranges) {
		uint32_t group = number[range->group];

		if (r || group == NO_GROUP)
			continue;
		r = take_range(range, group, &axis->ordered);
		if (!r)
			r = take_range(range, group, &axis->ranges);
	}
	if (!r && axis->ranges.count)
		qsort(axis->ranges.items, axis->ranges.count, sizeof(*axis->ranges.items),
		      range_compare);
	return r;
}

static int index_ranges(struct delta_axis *axis)
{
	size_t i, group, groups = axis->groups.items.count;

	axis->first = mem_alloc(groups + 1, sizeof(*axis->first));
	if (!axis->first)
		return -ENOMEM;
	for (i = 0, group = 0; group <= groups; group++) {
		while (i < axis->ranges.count && axis->ranges.items[i].group < group)
			i++;
		axis->first[group] = i;
	}
	return 0;
}

int delta_axis_build(const struct overlay *overlay, const struct layout *const layouts[DELTA_SIDES],
		     const struct delta_bits *changed, const struct delta_bits *relevant,
		     struct delta_axis *out)
{
	AUTO_FREE uint32_t *number = NULL;
	int r;

	number = mem_alloc(overlay->groups.items.count + 1, sizeof(*number));
	if (!number)
		return -ENOMEM;
	r = regroup(overlay, layouts, changed, relevant, &out->groups, number);
	if (!r)
		r = take_ranges(overlay, number, out);
	return r ? r : index_ranges(out);
}

void delta_axis_free(struct delta_axis *axis)
{
	intern_free(&axis->groups);
	array_clear(&axis->ordered);
	array_clear(&axis->ranges);
	free(axis->first);
}
