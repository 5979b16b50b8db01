// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every pair of a source and a destination group, judged once. A source's cells with the same set
 * of ports make a block; sources with the same block share it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/delta_parts.h"

struct cell {
	uint32_t set, dst;
};

struct row {
	ARRAY_OF(struct cell) ways[DELTA_WAYS];
	ARRAY_OF(uint32_t) key;
};

static bool meet_changed(const struct delta_bits *a, const struct delta_bits *b,
			 const struct delta_bits *changed)
{
	uint64_t left;
	int side;

	for (side = 0; side < DELTA_SIDES; side++) {
		const struct tp_rule_bits *x = &a->side[side], *y = &b->side[side],
					  *z = &changed->side[side];

		for (left = x->summary & y->summary & z->summary; left; left &= left - 1) {
			int word = __builtin_ctzll(left);

			if (x->words[word] & y->words[word] & z->words[word])
				return true;
		}
	}
	return false;
}

static void and_pair(struct delta_bits *out, const struct delta_bits *a, const struct delta_bits *b)
{
	uint64_t left;
	int side;

	memset(out, 0, sizeof(*out));
	for (side = 0; side < DELTA_SIDES; side++) {
		const struct tp_rule_bits *x = &a->side[side], *y = &b->side[side];
		struct tp_rule_bits *to = &out->side[side];

		for (left = x->summary & y->summary; left; left &= left - 1) {
			int word = __builtin_ctzll(left);

			to->words[word] = x->words[word] & y->words[word];
			if (to->words[word])
				to->summary |= 1ULL << word;
		}
	}
}

static int add_cell(struct row *row, int way, uint32_t set, uint32_t dst)
{
	struct cell *cell = array_add(&row->ways[way]);

	if (!cell)
		return -ENOMEM;
	cell->set = set;
	cell->dst = dst;
	return 0;
}

static int judge_row(const struct delta_axis *dst, const struct delta_bits *src,
		     const struct delta_bits *changed, struct delta_judge *judge, struct row *row)
{
	uint32_t sets[DELTA_WAYS], i;
	struct delta_bits both;
	size_t size;
	int way, r = 0;

	for (i = 0; !r && i < dst->groups.items.count; i++) {
		const struct delta_bits *bits = intern_get(&dst->groups, i, &size);

		if (!meet_changed(src, bits, changed))
			continue;
		and_pair(&both, src, bits);
		r = delta_judge_cell(judge, &both, sets);
		for (way = 0; !r && way < DELTA_WAYS; way++)
			if (sets[way])
				r = add_cell(row, way, sets[way], i);
	}
	return r;
}

static int cell_compare(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;

	if (x->set != y->set)
		return x->set < y->set ? -1 : 1;
	return (x->dst > y->dst) - (x->dst < y->dst);
}

static int key_add(struct row *row, uint32_t value)
{
	uint32_t *added = array_add(&row->key);

	if (!added)
		return -ENOMEM;
	*added = value;
	return 0;
}

static int end_block(struct row *row, uint32_t src, int way, struct delta_grid *grid)
{
	struct delta_member *member = array_add(&grid->members[way]);

	if (!member)
		return -ENOMEM;
	member->src = src;
	return intern_add(&grid->blocks[way], row->key.items,
			  row->key.count * sizeof(*row->key.items), &member->block);
}

/* Cuts one way of the row, sorted, where the set of ports changes. */
static int cut_row(struct row *row, uint32_t src, int way, struct delta_grid *grid)
{
	struct cell *cell, *cells = row->ways[way].items;
	size_t count = row->ways[way].count;
	int r = 0;

	if (count)
		qsort(cells, count, sizeof(*cells), cell_compare);
	for (cell = cells; !r && cell < cells + count; cell++) {
		if (cell == cells || cell[-1].set != cell->set) {
			row->key.count = 0;
			r = key_add(row, cell->set);
		}
		if (!r)
			r = key_add(row, cell->dst);
		if (!r && (cell + 1 == cells + count || cell[1].set != cell->set))
			r = end_block(row, src, way, grid);
	}
	row->ways[way].count = 0;
	return r;
}

static int member_compare(const void *a, const void *b)
{
	const struct delta_member *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return (x->src > y->src) - (x->src < y->src);
}

static void sort_members(struct delta_grid *grid)
{
	int way;

	for (way = 0; way < DELTA_WAYS; way++)
		if (grid->members[way].count)
			qsort(grid->members[way].items, grid->members[way].count,
			      sizeof(*grid->members[way].items), member_compare);
}

int delta_grid_build(const struct delta_axis axes[AXES], const struct delta_bits *changed,
		     struct delta_judge *judge, struct delta_grid *out)
{
	struct row row = { 0 };
	uint32_t src;
	size_t size;
	int way, r = 0;

	for (src = 0; !r && src < axes[AXIS_SRC].groups.items.count; src++) {
		r = judge_row(&axes[AXIS_DST], intern_get(&axes[AXIS_SRC].groups, src, &size),
			      changed, judge, &row);
		for (way = 0; !r && way < DELTA_WAYS; way++)
			r = cut_row(&row, src, way, out);
	}
	for (way = 0; way < DELTA_WAYS; way++)
		array_clear(&row.ways[way]);
	array_clear(&row.key);
	sort_members(out);
	return r;
}

void delta_grid_free(struct delta_grid *grid)
{
	int way;

	for (way = 0; way < DELTA_WAYS; way++) {
		intern_free(&grid->blocks[way]);
		array_clear(&grid->members[way]);
	}
}
