// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/view.h"

enum use { USE_NONE, USE_OLD, USE_NEW };

/* Numbers in use; 0 is "none" in every table and never given away. */
struct pool {
	uint8_t *used; /* enum use */
	uint32_t size;
	uint32_t next; /* none below it is free */
};

static int pool_begin(struct pool *pool, uint32_t size)
{
	pool->used = mem_alloc(size, sizeof(*pool->used));
	pool->size = size;
	pool->next = 1;
	return pool->used ? 0 : -ENOMEM;
}

/* Whether the number could be had: a map on the machine may hold anything. */
static bool pool_claim(struct pool *pool, uint32_t id)
{
	if (!id || id >= pool->size || pool->used[id] == USE_NEW)
		return false;

	pool->used[id] = USE_NEW;
	return true;
}

/* The row of who leaves is not written over as long as there is another. */
static void pool_spare(struct pool *pool, uint32_t id)
{
	if (id < pool->size)
		pool->used[id] = USE_OLD;
}

static void pool_forget_old(struct pool *pool)
{
	for (uint32_t id = 0; id < pool->size; id++)
		if (pool->used[id] == USE_OLD)
			pool->used[id] = USE_NONE;
	pool->next = 1;
}

/* 0 when all are taken. */
static uint32_t pool_take(struct pool *pool)
{
	while (pool->next < pool->size && pool->used[pool->next])
		pool->next++;
	if (pool->next >= pool->size)
		return 0;

	pool->used[pool->next] = USE_NEW;
	return pool->next;
}

/* One that nobody had, while there are any. */
static uint32_t pool_give(struct pool *pool)
{
	uint32_t id = pool_take(pool);

	if (id)
		return id;
	pool_forget_old(pool);
	return pool_take(pool);
}

static int peer_compare(const void *a, const void *b)
{
	const struct facts_id *x = *(const struct facts_id *const *)a;
	const struct facts_id *y = *(const struct facts_id *const *)b;

	return memcmp(&x->public_key, &y->public_key, sizeof(x->public_key));
}

static const struct facts_id **sort_peers(const struct facts *facts)
{
	const struct facts_id **sorted;
	size_t i;

	sorted = mem_alloc(facts->peer_ids.count + 1, sizeof(*sorted));
	if (!sorted)
		return NULL;

	for (i = 0; i < facts->peer_ids.count; i++)
		sorted[i] = &facts->peer_ids.items[i];
	qsort(sorted, i, sizeof(*sorted), peer_compare);
	return sorted;
}

static int keep_peers(struct view *view, struct pool *pool)
{
	AUTO_FREE const struct facts_id **sorted = NULL;
	size_t i, count = view->facts->peer_ids.count;

	sorted = sort_peers(view->facts);
	if (!sorted)
		return -ENOMEM;

	/* a peer's row is the mark that it is ours, which must outlive the peer */
	for (i = 0; i < count; i++)
		pool_spare(pool, sorted[i]->id);

	for (i = 0; i < view->policy->members.count; i++) {
		const struct policy_member *member = &view->policy->members.items[i];
		struct facts_id key = { .public_key = *member->public_key };
		const struct facts_id *wanted = &key;
		const struct facts_id **found;

		found = bsearch(&wanted, sorted, count, sizeof(*sorted), peer_compare);
		if (found && member != view->self && pool_claim(pool, (*found)->id))
			view->peer_ids[i] = (*found)->id;
	}
	return 0;
}

static int number_peers(struct view *view, struct err *err)
{
	const struct policy_member *members = view->policy->members.items;
	struct pool pool = { 0 };
	size_t i;
	int r;

	r = pool_begin(&pool, TP_PEER_MAX);
	if (!r)
		r = keep_peers(view, &pool);
	if (r)
		err_sys(err, r, "number the peers");

	for (i = 0; !r && i < view->policy->members.count; i++) {
		if (&members[i] == view->self || view->peer_ids[i])
			continue;
		view->peer_ids[i] = pool_give(&pool);
		if (!view->peer_ids[i])
			r = err_set(err, -E2BIG, "more than %d members", TP_PEER_MAX - 1);
	}
	free(pool.used);
	return r;
}

static int route_compare(const void *a, const void *b)
{
	const struct facts_route_id *x = *(const struct facts_route_id *const *)a;
	const struct facts_route_id *y = *(const struct facts_route_id *const *)b;
	int r = prefix_compare(&x->prefix, &y->prefix);

	return r ? r : (x->node > y->node) - (x->node < y->node);
}

static const struct facts_route_id **sort_routes(const struct facts *facts)
{
	const struct facts_route_id **sorted;
	size_t i;

	sorted = mem_alloc(facts->route_ids.count + 1, sizeof(*sorted));
	if (!sorted)
		return NULL;

	for (i = 0; i < facts->route_ids.count; i++)
		sorted[i] = &facts->route_ids.items[i];
	qsort(sorted, i, sizeof(*sorted), route_compare);
	return sorted;
}

static int keep_routes(struct view *view, struct pool *pool)
{
	AUTO_FREE const struct facts_route_id **sorted = NULL;
	size_t i, count = view->facts->route_ids.count;

	sorted = sort_routes(view->facts);
	if (!sorted)
		return -ENOMEM;

	/* until the switch, the programs count by it for the route that goes */
	for (i = 0; i < count; i++)
		pool_spare(pool, sorted[i]->id);

	for (i = 0; i < view->policy->routes.count; i++) {
		struct view_route *route = &view->routes[i];
		struct facts_route_id key = { .prefix = route->route->prefix };
		const struct facts_route_id *wanted = &key;
		const struct facts_route_id **found;
		const char *node = view_carrier(view, route)->name;

		if (!intern_find(&view->facts->nodes, node, strlen(node), &key.node))
			continue;
		found = bsearch(&wanted, sorted, count, sizeof(*sorted), route_compare);
		if (found && pool_claim(pool, (*found)->id))
			route->id = (*found)->id;
	}
	return 0;
}

static int number_routes(struct view *view, struct err *err)
{
	struct pool pool = { 0 };
	size_t i;
	int r;

	r = pool_begin(&pool, TP_ROUTE_MAX);
	if (!r)
		r = keep_routes(view, &pool);
	if (r)
		err_sys(err, r, "number the routes");

	for (i = 0; !r && i < view->policy->routes.count; i++) {
		if (!view->routes[i].id)
			view->routes[i].id = pool_give(&pool);
		if (!view->routes[i].id)
			r = err_set(err, -E2BIG, "more than %d advertised routes",
				    TP_ROUTE_MAX - 1);
	}
	free(pool.used);
	return r;
}

int view_assign_ids(struct view *view, struct err *err)
{
	int r;

	r = number_peers(view, err);
	if (r)
		return r;
	return number_routes(view, err);
}
