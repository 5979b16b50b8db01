// SPDX-License-Identifier: GPL-2.0-only
#include "model/pieces.h"

#include <errno.h>
#include <stdlib.h>

#include "model/classify.h"
#include "model/ranges.h"

/* A piece of no length is overwritten by the next one at the same place. */
static int piece_add(struct pieces *pieces, const struct addr *first, uint32_t class_id)
{
	struct piece *last = pieces->count ? &pieces->items[pieces->count - 1] : NULL;

	if (!last || !addr_is_equal(&last->first, first))
		last = array_add(pieces);
	if (!last)
		return -ENOMEM;

	last->first = *first;
	last->class_id = class_id;
	return 0;
}

struct open_rows {
	const struct class_row *at[129];
	size_t depth;
};

/* Ends the innermost open row: behind it, the one around it goes on. */
static int close_row(struct pieces *pieces, struct open_rows *open)
{
	struct addr_range range = prefix_range(&open->at[--open->depth]->prefix);
	uint32_t around = open->depth ? open->at[open->depth - 1]->class_id : TP_CLASS_NONE;
	struct addr after;

	if (!range_after(&range, &after))
		return 0; /* the last address there is */
	return piece_add(pieces, &after, around);
}

static int lay_row(struct pieces *pieces, struct open_rows *open, const struct class_row *row)
{
	struct addr_range range = prefix_range(&row->prefix);
	int r;

	while (open->depth && !prefix_contains(&open->at[open->depth - 1]->prefix, &row->prefix)) {
		r = close_row(pieces, open);
		if (r)
			return r;
	}
	open->at[open->depth++] = row;
	return piece_add(pieces, &range.first, row->class_id);
}

static int lay_rows(const struct class_row *rows, size_t count, bool v4, struct pieces *pieces)
{
	struct open_rows open = { .depth = 0 };
	size_t i;
	int r = 0;

	for (i = 0; !r && i < count; i++)
		if (prefix_is_v4(&rows[i].prefix) == v4)
			r = lay_row(pieces, &open, &rows[i]);
	while (!r && open.depth)
		r = close_row(pieces, &open);
	return r;
}

int pieces_build(const struct class_row *rows, size_t count, bool v4, struct pieces *out)
{
	struct pieces pieces = { 0 };
	struct addr begin = { 0 };
	int r;

	if (v4)
		begin = classify_v4_space.addr;
	r = piece_add(&pieces, &begin, TP_CLASS_NONE);
	if (!r)
		r = lay_rows(rows, count, v4, &pieces);

	if (r)
		array_clear(&pieces);
	else
		*out = pieces;
	return r;
}

const struct piece *pieces_find(const struct pieces *pieces, const struct addr *addr)
{
	size_t low = 0, high = pieces->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (addr_compare(&pieces->items[middle].first, addr) <= 0)
			low = middle;
		else
			high = middle;
	}
	return &pieces->items[low];
}

int pieces_sample(const struct pieces *pieces, const struct addr_range *range, struct samples *out)
{
	const struct piece *piece = pieces_find(pieces, &range->first);
	const struct piece *end = pieces->items + pieces->count;

	for (; piece < end && addr_compare(&piece->first, &range->last) <= 0; piece++) {
		struct sample *sample = array_add(out);

		if (!sample)
			return -ENOMEM;
		sample->class_id = piece->class_id;
		sample->addr = addr_compare(&piece->first, &range->first) < 0 ? range->first
									      : piece->first;
	}
	return 0;
}

static int by_class(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->class_id != y->class_id)
		return x->class_id < y->class_id ? -1 : 1;
	return addr_compare(&x->addr, &y->addr);
}

static int by_addr(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return addr_compare(&x->addr, &y->addr);
}

void samples_finish(struct samples *samples)
{
	struct sample *last, *sample;

	if (!samples->count)
		return;

	qsort(samples->items, samples->count, sizeof(*samples->items), by_class);
	last = samples->items;
	array_for_each(sample, samples)
		if (sample->class_id != last->class_id)
			*++last = *sample;
	samples->count = (size_t)(last - samples->items) + 1;
	qsort(samples->items, samples->count, sizeof(*samples->items), by_addr);
}
