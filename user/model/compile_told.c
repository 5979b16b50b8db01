// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a route tells of its addresses' classes. A packet's route is looked up before the grants are
 * asked: where all of a route has one class, as a member's address always has, the second walk
 * through a table of a hundred thousand prefixes is saved.
 */
#include "model/classify.h"
#include "model/compile.h"

/* A walk through rows, in step with one through routes. */
struct walk {
	const struct class_row *next, *end;
	const struct class_row *around[129]; /* those that hold the last prefix asked for */
	size_t depth;
};

static void leave_behind(struct walk *walk, const struct prefix *prefix)
{
	while (walk->depth && !prefix_contains(&walk->around[walk->depth - 1]->prefix, prefix))
		walk->depth--;
}

/* The class of every address in the prefix, or TP_CLASS_UNTOLD. Prefixes come in their order. */
static uint32_t class_in(struct walk *walk, const struct prefix *prefix)
{
	while (walk->next < walk->end &&
	       classify_prefix_compare(&walk->next->prefix, prefix) <= 0) {
		leave_behind(walk, &walk->next->prefix);
		walk->around[walk->depth++] = walk->next++;
	}
	leave_behind(walk, prefix);
	if (walk->next < walk->end && prefix_contains(prefix, &walk->next->prefix))
		return TP_CLASS_UNTOLD;
	return walk->depth ? walk->around[walk->depth - 1]->class_id : TP_CLASS_NONE;
}

void compile_told(struct tables *tables)
{
	struct walk src = { tables->src.items, tables->src.items + tables->src.count, { NULL }, 0 };
	struct walk dst = { tables->dst.items, tables->dst.items + tables->dst.count, { NULL }, 0 };
	struct route_row *row;

	array_for_each(row, &tables->routes) {
		row->route.src_class = class_in(&src, &row->prefix);
		row->route.dst_class = class_in(&dst, &row->prefix);
	}
}
