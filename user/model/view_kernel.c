// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own routes, which administrators and routing daemons made. They may be many: the
 * list is sorted once and searched by halves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/view.h"

/*
 * A default route is nobody's claim to a prefix, and what the kernel itself puts on the tunnel
 * (IPv6 does so for each address) leads where ours do.
 */
static bool is_claim(const struct view *view, const struct facts_route *route)
{
	const struct facts_link *link = facts_find_ifindex(view->facts, route->ifindex);

	if (prefix_is_default(&route->prefix))
		return false;
	return !link || !view_is_tunnel(view, link);
}

static int by_prefix(const void *a, const void *b)
{
	const struct facts_route *x = *(const struct facts_route *const *)a;
	const struct facts_route *y = *(const struct facts_route *const *)b;
	int r = prefix_compare(&x->prefix, &y->prefix);

	return r ? r : (x->metric > y->metric) - (x->metric < y->metric);
}

int view_list_kernel_routes(struct view *view)
{
	const struct facts_route *route;
	size_t count = 0;

	view->kernel_routes =
		mem_alloc(view->facts->routes.count + 1, sizeof(const struct facts_route *));
	if (!view->kernel_routes)
		return -ENOMEM;

	array_for_each(route, &view->facts->routes)
		if (is_claim(view, route))
			view->kernel_routes[count++] = route;
	qsort(view->kernel_routes, count, sizeof(const struct facts_route *), by_prefix);
	view->kernel_route_count = count;
	return 0;
}

static int order_of(const void *key, const void *item)
{
	const struct facts_route *route = *(const struct facts_route *const *)item;

	return prefix_compare(key, &route->prefix);
}

const struct facts_route *view_find_kernel_route(const struct view *view,
						 const struct prefix *prefix)
{
	const struct facts_route *const *found;

	found = bsearch(prefix, view->kernel_routes, view->kernel_route_count,
			sizeof(const struct facts_route *), order_of);
	if (!found)
		return NULL;
	/* the best of several metrics is the one the kernel would use */
	while (found > view->kernel_routes && prefix_is_equal(&found[-1]->prefix, prefix))
		found--;
	return *found;
}
