// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/view.h"

__attribute__((format(printf, 2, 3))) static void put(char *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(buf, VIEW_REASON_SIZE, format, args);
	va_end(args);
}

static void put_held(char *buf, const struct view *view, const struct view_route *route)
{
	struct guard_verdict verdict;

	if (guard_holds(&view->guard, &route->route->prefix, &verdict))
		put(buf, "%s", verdict.reason);
}

const char *view_put_reason(char *buf, const struct view *view, const struct view_route *route)
{
	const char *name = view_carrier(view, route)->name;
	const char *other = view->policy->members.items[route->other].name;

	buf[0] = '\0';
	switch ((enum view_reason)route->reason) {
	case VIEW_UNAPPROVED: put(buf, "no entry of auto_approvers names %s for it", name); break;
	case VIEW_OWN_LAN: put(buf, "through this node's own LAN"); break;
	case VIEW_REACHED_BY_LAN: put(buf, "this node reaches it through its own LAN"); break;
	case VIEW_NOT_ACCEPTED: put(buf, "this node does not accept it"); break;
	case VIEW_HELD: put_held(buf, view, route); break;
	case VIEW_EXPIRED: put(buf, "the key of %s has expired", name); break;
	case VIEW_STAND_IN:
		put(buf, "the key of %s has expired, %s has it too", name, other);
		break;
	case VIEW_PREFERRED: put(buf, "%s is preferred", other); break;
	case VIEW_TUNNEL:
		if (route->other == route->route->member)
			put(buf, "through the tunnel to %s", name);
		else
			put(buf, "through the tunnel to %s, for %s", other, name);
		break;
	}
	return buf;
}
