// SPDX-License-Identifier: GPL-2.0-only
/* Blocks of groups become blocks of addresses and ports. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/delta_parts.h"

#define PROTOCOLS 255 /* of 256: the ICMP of the other family is none */

struct numbers {
	ARRAY_OF(uint32_t);
};

/* Few groups: their ranges, sorted then. */
static int gather(const struct delta_axis *axis, const uint32_t *groups, size_t count,
		  struct ranges *out)
{
	size_t i, j;
	int r = 0;

	for (i = 0; i < count; i++)
		for (j = axis->first[groups[i]]; !r && j < axis->first[groups[i] + 1]; j++)
			r = ranges_add(out, &axis->ranges.items[j].range);
	ranges_normalize(out);
	return r;
}

/* Many: all ranges are looked at in their order, which spares the sorting. */
static int sift(const struct delta_axis *axis, const uint32_t *groups, size_t count,
		struct ranges *out)
{
	AUTO_FREE bool *wanted = mem_alloc(axis->groups.items.count, sizeof(*wanted));
	const struct overlay_range *range;
	size_t i;
	int r = 0;

	if (!wanted)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		wanted[groups[i]] = true;
	array_for_each(range, &axis->ordered)
		if (!r && wanted[range->group])
			r = ranges_append(out, &range->range);
	return r;
}

static int put_ranges(const struct delta_axis *axis, const uint32_t *groups, size_t count,
		      struct ranges *out)
{
	if (count < axis->groups.items.count / 8)
		return gather(axis, groups, count, out);
	return sift(axis, groups, count, out);
}

static int match_compare(const void *a, const void *b)
{
	const struct delta_match *x = a, *y = b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	return (x->port_min > y->port_min) - (x->port_min < y->port_min);
}

static int add_matches(const struct delta_axis *ports, uint32_t group, struct delta_block *block)
{
	size_t i;

	for (i = ports->first[group]; i < ports->first[group + 1]; i++) {
		const struct addr_range *range = &ports->ranges.items[i].range;
		struct delta_match *match = array_add(&block->matches);

		if (!match)
			return -ENOMEM;
		match->proto = layout_proto(&range->first);
		match->port_min = layout_port(&range->first);
		match->port_max = layout_port(&range->last);
	}
	return 0;
}

static void join_matches(struct delta_block *block)
{
	struct delta_match *last = block->matches.items, *match;

	qsort(last, block->matches.count, sizeof(*last), match_compare);
	array_for_each(match, &block->matches) {
		if (match == last)
			continue;
		if (match->proto == last->proto && match->port_min == last->port_max + 1)
			last->port_max = match->port_max;
		else
			*++last = *match;
	}
	block->matches.count = (size_t)(last - block->matches.items) + 1;
}

/* Whether one range is all that a packet of the protocol may have. */
bool delta_match_is_whole(const struct delta_match *match)
{
	return !decide_has_ports(match->proto) ||
	       (match->port_min == 1 && match->port_max == UINT16_MAX);
}

static bool has_everything(const struct delta_block *block)
{
	const struct delta_match *match;

	array_for_each(match, &block->matches)
		if (!delta_match_is_whole(match))
			return false;
	return block->matches.count == PROTOCOLS;
}

static int put_set(const struct delta_axis *ports, const struct delta_judge *judge, uint32_t set,
		   struct delta_block *block)
{
	size_t size, word;
	const uint64_t *bits = intern_get(&judge->sets, set, &size);
	uint64_t left;
	int r = 0;

	for (word = 0; word < judge->words; word++)
		for (left = bits[word]; !r && left; left &= left - 1)
			r = add_matches(ports,
					(uint32_t)(word * 64 + (size_t)__builtin_ctzll(left)),
					block);
	if (r)
		return r;
	join_matches(block);
	block->any = has_everything(block);
	return 0;
}

/* The sources of the block whose first member this is: they stand together. */
static int put_sources(const struct delta_axis *axis, const struct delta_member *member,
		       const struct delta_member *end, struct ranges *out)
{
	struct numbers groups = { 0 };
	uint32_t block = member->block;
	int r = 0;

	for (; !r && member < end && member->block == block; member++) {
		uint32_t *group = array_add(&groups);

		if (group)
			*group = member->src;
		else
			r = -ENOMEM;
	}
	if (!r)
		r = put_ranges(axis, groups.items, groups.count, out);
	array_clear(&groups);
	return r;
}

static int put_block(const struct delta_axis axes[AXES], const struct delta_judge *judge,
		     const struct delta_grid *grid, int way, const struct delta_member *member,
		     struct delta_block *block)
{
	const struct delta_member *end = grid->members[way].items + grid->members[way].count;
	size_t size;
	const uint32_t *key = intern_get(&grid->blocks[way], member->block, &size);
	int r;

	r = put_sources(&axes[AXIS_SRC], member, end, &block->src);
	if (!r)
		r = put_ranges(&axes[AXIS_DST], key + 1, size / sizeof(*key) - 1, &block->dst);
	return r ? r : put_set(&axes[AXIS_PORT], judge, key[0], block);
}

int delta_blocks_put(const struct delta_axis axes[AXES], const struct delta_judge *judge,
		     const struct delta_grid *grid, bool v4, int way, struct delta_blocks *out)
{
	const struct delta_member *members = grid->members[way].items;
	size_t i;
	int r = 0;

	for (i = 0; !r && i < grid->members[way].count; i++) {
		struct delta_block *block;

		if (i && members[i - 1].block == members[i].block)
			continue;
		block = array_add(out);
		if (!block)
			return -ENOMEM;
		block->v4 = v4;
		r = put_block(axes, judge, grid, way, &members[i], block);
	}
	return r;
}

static int ranges_compare(const struct ranges *a, const struct ranges *b)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < a->count && i < b->count; i++) {
		r = addr_compare(&a->items[i].first, &b->items[i].first);
		if (!r)
			r = addr_compare(&a->items[i].last, &b->items[i].last);
	}
	return r ? r : (a->count > b->count) - (a->count < b->count);
}

/* Blocks are disjoint, so that source and destination nearly always tell. */
static int block_compare(const void *a, const void *b)
{
	const struct delta_block *x = a, *y = b;
	int r = (int)y->v4 - (int)x->v4;

	if (!r)
		r = ranges_compare(&x->src, &y->src);
	if (!r)
		r = ranges_compare(&x->dst, &y->dst);
	return r ? r : match_compare(x->matches.items, y->matches.items);
}

void delta_blocks_sort(struct delta_blocks *blocks)
{
	if (blocks->count)
		qsort(blocks->items, blocks->count, sizeof(*blocks->items), block_compare);
}

void delta_blocks_free(struct delta_blocks *blocks)
{
	struct delta_block *block;

	array_for_each(block, blocks) {
		array_clear(&block->src);
		array_clear(&block->dst);
		array_clear(&block->matches);
	}
	array_clear(blocks);
}
