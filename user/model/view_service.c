// SPDX-License-Identifier: GPL-2.0-only
/* Services as one node sees them: each serves all of them to who sends to them through it. */
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

static bool is_member(const struct policy *policy, const struct addr *addr)
{
	const struct policy_member *member;
	const struct addr *own;

	array_for_each(member, &policy->members)
		array_for_each(own, member->addresses)
			if (!addr_compare(own, addr))
				return true;
	return false;
}

bool view_has_backend(const struct view *view, const struct addr *backend)
{
	size_t i;

	for (i = 0; i < view->policy->routes.count; i++) {
		const struct view_route *route = &view->routes[i];

		if (route->kind != TP_ROUTE_NONE && !prefix_is_default(&route->route->prefix) &&
		    prefix_has_addr(&route->route->prefix, backend))
			return true;
	}
	return is_member(view->policy, backend);
}
