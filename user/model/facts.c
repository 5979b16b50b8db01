// SPDX-License-Identifier: GPL-2.0-only
#include "model/facts.h"

#include <stdlib.h>
#include <string.h>

void facts_free(struct facts *facts)
{
	struct facts_host *host;
	struct facts_secret *secret;

	if (!facts)
		return;

	array_for_each(host, &facts->hosts)
		free(host->host);
	array_for_each(secret, &facts->secrets) {
		key_wipe(&secret->key);
		free(secret->path);
	}
	key_wipe(&facts->private_key);

	array_clear(&facts->links);
	array_clear(&facts->addrs);
	array_clear(&facts->routes);
	array_clear(&facts->behind);
	array_clear(&facts->sysctls);
	array_clear(&facts->peer_ids);
	array_clear(&facts->route_ids);
	intern_free(&facts->nodes);
	array_clear(&facts->service_ids);
	array_clear(&facts->dead);
	array_clear(&facts->exempt);
	array_clear(&facts->hosts);
	array_clear(&facts->secrets);
	array_clear(&facts->seen);
	*facts = (struct facts){ 0 };
}

const struct facts_link *facts_find_link(const struct facts *facts, const char *name)
{
	const struct facts_link *link;

	array_for_each(link, &facts->links)
		if (!strcmp(link->name, name))
			return link;
	return NULL;
}

const struct facts_link *facts_find_ifindex(const struct facts *facts, uint32_t ifindex)
{
	const struct facts_link *link;

	array_for_each(link, &facts->links)
		if (link->ifindex == ifindex)
			return link;
	return NULL;
}

static bool is_better(const struct facts_route *a, const struct facts_route *b)
{
	if (a->prefix.len != b->prefix.len)
		return a->prefix.len > b->prefix.len;
	return a->metric < b->metric;
}

bool facts_has_addr(const struct facts *facts, const struct addr *addr)
{
	const struct facts_addr *own;

	array_for_each(own, &facts->addrs)
		if (!addr_compare(&own->addr, addr))
			return true;
	return false;
}

const struct facts_route *facts_find_route(const struct facts *facts, const struct addr *addr)
{
	const struct facts_route *best = NULL;
	const struct facts_route *route;

	array_for_each(route, &facts->routes)
		if (prefix_has_addr(&route->prefix, addr) && (!best || is_better(route, best)))
			best = route;
	return best;
}
