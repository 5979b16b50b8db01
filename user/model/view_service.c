// SPDX-License-Identifier: GPL-2.0-only
/* Services as one node sees them: each serves all of them to who sends to them through it. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/view.h"

static bool is_first(const struct config *config, const struct config_service *service)
{
	const struct config_service *other;

	for (other = config->services.items; other < service; other++)
		if (!addr_compare(&other->vip, &service->vip))
			return false;
	return true;
}

bool view_leads_service(const struct view *view, const struct config_service *service)
{
	struct prefix host = prefix_host(&service->vip);

	return is_first(view->policy->config, service) && !guard_find_route(&view->guard, &host);
}

static int addr_order(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static void sort_once(struct config_addrs *addrs)
{
	struct addr *addr, *kept = addrs->items;

	if (!addrs->count)
		return;
	qsort(addrs->items, addrs->count, sizeof(*addrs->items), addr_order);
	array_for_each(addr, addrs)
		if (addr_compare(addr, kept))
			*++kept = *addr;
	addrs->count = (size_t)(kept - addrs->items) + 1;
}

static int add_backends(const struct config *config, struct config_addrs *out)
{
	const struct config_service *service;
	const struct addr *backend;

	array_for_each(service, &config->services) {
		array_for_each(backend, &service->backends) {
			struct addr *added = array_add(out);

			if (!added)
				return -ENOMEM;
			*added = *backend;
		}
	}
	sort_once(out);
	return 0;
}

/* The first that is not before addr. */
static size_t find_from(const struct config_addrs *sorted, const struct addr *addr)
{
	size_t low = 0, high = sorted->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_compare(&sorted->items[middle], addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void note_led(const struct config_addrs *sorted, const struct prefix *prefix, bool *led)
{
	struct addr_range range = prefix_range(prefix);
	size_t i;

	for (i = find_from(sorted, &range.first);
	     i < sorted->count && addr_compare(&sorted->items[i], &range.last) <= 0; i++)
		led[i] = true;
}

/* Prefixes are many and backends few in each: one search a prefix, and no walk through all. */
static void note_all_led(const struct view *view, const struct config_addrs *sorted, bool *led)
{
	const struct policy *policy = view->policy;
	const struct policy_member *member;
	const struct addr *own;
	size_t i;

	for (i = 0; i < policy->routes.count; i++)
		if (view->routes[i].kind != TP_ROUTE_NONE &&
		    !prefix_is_default(&policy->routes.items[i].prefix))
			note_led(sorted, &policy->routes.items[i].prefix, led);
	array_for_each(member, &policy->members) {
		array_for_each(own, member->addresses) {
			struct prefix host = prefix_host(own);

			note_led(sorted, &host, led);
		}
	}
}

int view_find_strays(const struct view *view, struct config_addrs *out)
{
	int r = add_backends(view->policy->config, out);
	AUTO_FREE bool *led = mem_alloc(out->count + 1, sizeof(*led));
	size_t i, kept = 0;

	if (r || !led)
		return -ENOMEM;
	note_all_led(view, out, led);
	for (i = 0; i < out->count; i++)
		if (!led[i])
			out->items[kept++] = out->items[i];
	out->count = kept;
	return 0;
}
