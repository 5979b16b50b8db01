// SPDX-License-Identifier: GPL-2.0-only
/*
 * The routes as the programs have them: cut wherever the class of their addresses changes, so that
 * each row tells the classes too. A packet's route is looked up before the grants are asked; a
 * second and a third walk through tables of a hundred thousand prefixes are saved.
 */
#include <errno.h>

#include "model/classify.h"
#include "model/compile.h"

/* A walk through sorted rows, whose prefix is their beginning. */
struct walk {
	const char *next, *end;
	size_t size;
	/* rows that hold the last prefix asked for: of each length one, and a HOST on a route */
	const struct prefix *around[128 + 2];
	size_t depth;
};

_Static_assert(!offsetof(struct class_row, prefix), "a walk's row begins with its prefix");
_Static_assert(!offsetof(struct route_row, prefix), "a walk's row begins with its prefix");

#define WALK(rows)                                                    \
	{                                                             \
		.next = (const char *)(rows)->items,                  \
		.end = (const char *)((rows)->items + (rows)->count), \
		.size = sizeof(*(rows)->items),                       \
	}

enum { ROUTES, SRC, DST, WALKS };

static const struct prefix *walk_front(const struct walk *walk)
{
	return walk->next < walk->end ? (const struct prefix *)walk->next : NULL;
}

static void leave_behind(struct walk *walk, const struct prefix *prefix)
{
	while (walk->depth && !prefix_contains(walk->around[walk->depth - 1], prefix))
		walk->depth--;
}

/* The last and longest row that holds all of the prefix, or NULL. Prefixes come in their order. */
static const void *walk_to(struct walk *walk, const struct prefix *prefix)
{
	const struct prefix *row;

	while ((row = walk_front(walk)) && classify_prefix_compare(row, prefix) <= 0) {
		leave_behind(walk, row);
		walk->around[walk->depth++] = row;
		walk->next += walk->size;
	}
	leave_behind(walk, prefix);
	return walk->depth ? walk->around[walk->depth - 1] : NULL;
}

/* The first prefix that no walk has come to, or NULL. */
static const struct prefix *next_cut(const struct walk *walks)
{
	const struct prefix *first = NULL;
	size_t i;

	for (i = 0; i < WALKS; i++) {
		const struct prefix *front = walk_front(&walks[i]);

		if (front && (!first || classify_prefix_compare(front, first) < 0))
			first = front;
	}
	return first;
}

static uint32_t class_to(struct walk *walk, const struct prefix *prefix)
{
	const struct class_row *row = walk_to(walk, prefix);

	return row ? row->class_id : TP_CLASS_NONE;
}

/* Nobody asks for the class of an address without a route: a barrier stays whole. */
static bool is_piece(const struct route_row *route, const struct prefix *prefix)
{
	return route &&
	       (route->route.kind != TP_ROUTE_NONE || prefix_is_equal(&route->prefix, prefix));
}

int tables_cut_routes(const struct tables *tables, struct route_pieces *out)
{
	struct walk walks[WALKS] = { WALK(&tables->routes), WALK(&tables->src),
				     WALK(&tables->dst) };
	const struct prefix *prefix;

	while ((prefix = next_cut(walks))) {
		const struct route_row *route = walk_to(&walks[ROUTES], prefix);
		uint32_t src_class = class_to(&walks[SRC], prefix);
		uint32_t dst_class = class_to(&walks[DST], prefix);
		struct route_piece *piece;

		if (!is_piece(route, prefix))
			continue;
		piece = array_add(out);
		if (!piece)
			return -ENOMEM;
		piece->prefix = *prefix;
		piece->route = (uint32_t)(route - tables->routes.items);
		piece->src_class = src_class;
		piece->dst_class = dst_class;
	}
	return 0;
}
