// SPDX-License-Identifier: GPL-2.0-only
/* What may keep the backends of a service from being found alive. */
#include <errno.h>

#include "base/mem.h"
#include "model/policy_parts.h"

static bool is_in(const struct addr_range *range, const struct addr *addr)
{
	return addr_compare(&range->first, addr) <= 0 && addr_compare(addr, &range->last) <= 0;
}

static const struct config_route *find_local_vip(const struct config *config,
						 const struct addr *addr)
{
	const struct config_route *route;
	const struct addr_range *range;

	array_for_each(route, &config->routes)
		array_for_each(range, &route->local_vips)
			if (is_in(range, addr))
				return route;
	return NULL;
}

static int warn_backend(const struct config_service *service, size_t index,
			const struct config_route *route, struct problems *out)
{
	AUTO_FREE char *place = mem_format("%s.backends[%zu]", service->place, index);
	char addr[ADDR_TEXT_SIZE];

	if (!place)
		return -ENOMEM;
	return problems_add(out, place,
			    "%s is in %s.local_vips: while this machine itself announces it, no "
			    "probe reaches it, and it is passed over; name a backend behind it "
			    "instead, or leave \"health\" out",
			    addr_put(addr, &service->backends.items[index]), route->place);
}

static int warn_backends(const struct config *config, const struct config_service *service,
			 struct problems *out)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < service->backends.count; i++) {
		const struct config_route *route =
			find_local_vip(config, &service->backends.items[i]);

		if (route)
			r = warn_backend(service, i, route, out);
	}
	return r;
}

int policy_service_warnings(const struct config *config, struct problems *out)
{
	const struct config_service *service;
	int r = 0;

	array_for_each(service, &config->services)
		if (!r && service->health.set)
			r = warn_backends(config, service, out);
	return r;
}
