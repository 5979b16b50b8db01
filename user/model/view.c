// SPDX-License-Identifier: GPL-2.0-only
#include "model/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool view_member_is_expired(const struct view *view, const struct policy_member *member)
{
	return policy_member_is_expired(member, view->facts->now);
}

const struct policy_member *view_carrier(const struct view *view, const struct view_route *route)
{
	return &view->policy->members.items[route->route->member];
}

static void decide(struct view_route *route, enum tp_route_state state, enum tp_route_kind kind,
		   enum view_reason reason)
{
	route->state = (uint8_t)state;
	route->kind = (uint8_t)kind;
	route->reason = (uint8_t)reason;
}

/* The same, where the reason names another member. */
static void decide_by(struct view_route *route, enum tp_route_state state, enum tp_route_kind kind,
		      enum view_reason reason, uint32_t other)
{
	decide(route, state, kind, reason);
	route->other = other;
}

/* The advertisers of one prefix, in order of preference. */
struct advertisers {
	struct view_route *preferred; /* the first that is approved and alive; may be NULL */
	struct view_route *first;     /* approved, alive or not; may be NULL */
	bool self;                    /* this node is an approved one */
	/* a shorter one in use, which has their addresses too; may be NULL */
	const struct view_route *around;
};

static void note_advertiser(const struct view *view, struct advertisers *all,
			    struct view_route *route)
{
	const struct policy_member *member = view_carrier(view, route);

	if (!route->route->approved)
		return;
	if (!all->first)
		all->first = route;
	if (!all->preferred && !view_member_is_expired(view, member))
		all->preferred = route;
	all->self |= member == view->self;
}

static bool accepts(const struct policy_member *self, const struct prefix *prefix)
{
	const struct prefix *accepted;

	if (self->node->accept != ACCEPT_LIST)
		return self->node->accept == ACCEPT_ALL;

	array_for_each(accepted, &self->node->accept_routes)
		if (prefix_contains(accepted, prefix))
			return true;
	return false;
}

static bool is_held_back(const struct view *view, struct view_route *route)
{
	struct guard_verdict verdict;

	if (!guard_holds(&view->guard, &route->route->prefix, &verdict))
		return false;
	decide(route, TP_ROUTE_CONFLICT, TP_ROUTE_NONE, VIEW_HELD);
	return true;
}

static void decide_own(const struct advertisers *all, struct view_route *route)
{
	if (!all->preferred || all->preferred == route)
		decide(route, TP_ROUTE_ACTIVE, TP_ROUTE_LAN, VIEW_OWN_LAN);
	else
		decide_by(route, TP_ROUTE_STANDBY, TP_ROUTE_LAN, VIEW_PREFERRED,
			  all->preferred->route->member);
}

static void decide_other(const struct view *view, const struct advertisers *all,
			 struct view_route *route)
{
	bool expired = view_member_is_expired(view, view_carrier(view, route));

	if (expired && !all->preferred && all->around)
		decide_by(route, TP_ROUTE_DOWN, TP_ROUTE_NONE, VIEW_STAND_IN,
			  all->around->route->member);
	else if (expired)
		/* with nobody else to carry it, the row stays, so that the data path says why */
		decide(route, TP_ROUTE_DOWN,
		       !all->preferred && all->first == route ? TP_ROUTE_MESH : TP_ROUTE_NONE,
		       VIEW_EXPIRED);
	else if (all->preferred && all->preferred != route)
		decide_by(route, TP_ROUTE_STANDBY, TP_ROUTE_NONE, VIEW_PREFERRED,
			  all->preferred->route->member);
	else
		decide_by(route, TP_ROUTE_ACTIVE, TP_ROUTE_MESH, VIEW_TUNNEL,
			  policy_next_hop(view->policy, view->self, route->route->member));
}

static void decide_route(const struct view *view, const struct advertisers *all,
			 struct view_route *route)
{
	const struct policy_member *member = view_carrier(view, route);

	if (!route->route->approved)
		decide(route, TP_ROUTE_UNAPPROVED, TP_ROUTE_NONE, VIEW_UNAPPROVED);
	else if (member == view->self)
		decide_own(all, route);
	else if (all->self)
		decide(route, TP_ROUTE_STANDBY, TP_ROUTE_NONE, VIEW_REACHED_BY_LAN);
	else if (!accepts(view->self, &route->route->prefix))
		decide(route, TP_ROUTE_STANDBY, TP_ROUTE_NONE, VIEW_NOT_ACCEPTED);
	else if (!is_held_back(view, route))
		decide_other(view, all, route);
}

static int by_prefix(const void *a, const void *b)
{
	const struct view_route *x = *(struct view_route *const *)a;
	const struct view_route *y = *(struct view_route *const *)b;
	int r = prefix_compare(&x->route->prefix, &y->route->prefix);

	if (!r)
		r = (x->route->rank > y->route->rank) - (x->route->rank < y->route->rank);
	/* policy->routes is one array in file order */
	return r ? r : (x->route > y->route) - (x->route < y->route);
}

static bool same_prefix(const struct view_route *a, const struct view_route *b)
{
	return prefix_is_equal(&a->route->prefix, &b->route->prefix);
}

/* A default route is no stand-in: it would lead a private network's packets to the internet. */
static bool may_stand_in(const struct view_route *route)
{
	return route->state == TP_ROUTE_ACTIVE && !prefix_is_default(&route->route->prefix);
}

/* Those in use around the present one are a stack, as sorted prefixes nest. */
struct nest {
	const struct view_route *items[128 + 1];
	size_t depth;
};

static const struct view_route *nest_find(struct nest *nest, const struct view_route *route)
{
	while (nest->depth && !prefix_contains(&nest->items[nest->depth - 1]->route->prefix,
					       &route->route->prefix))
		nest->depth--;
	return nest->depth ? nest->items[nest->depth - 1] : NULL;
}

static void decide_all(const struct view *view, struct view_route **sorted, size_t count)
{
	size_t first, end, i;
	struct nest nest = { .depth = 0 };

	for (first = 0; first < count; first = end) {
		struct advertisers all = { .around = nest_find(&nest, sorted[first]) };

		for (end = first; end < count && same_prefix(sorted[first], sorted[end]); end++)
			note_advertiser(view, &all, sorted[end]);
		for (i = first; i < end; i++)
			decide_route(view, &all, sorted[i]);
		if (all.preferred && may_stand_in(all.preferred))
			nest.items[nest.depth++] = all.preferred;
	}
}

static int build_routes(struct view *view)
{
	AUTO_FREE struct view_route **sorted = NULL;
	size_t i, count = view->policy->routes.count;

	sorted = mem_alloc(count + 1, sizeof(struct view_route *));
	if (!sorted)
		return -ENOMEM;

	for (i = 0; i < count; i++) {
		view->routes[i].route = &view->policy->routes.items[i];
		sorted[i] = &view->routes[i];
	}
	qsort(sorted, count, sizeof(struct view_route *), by_prefix);
	decide_all(view, sorted, count);
	return 0;
}

int view_build(const struct policy *policy, const struct policy_member *self,
	       const struct facts *facts, struct view *out, struct err *err)
{
	struct view view = { .policy = policy, .facts = facts, .self = self };
	int r = -ENOMEM;

	view.peer_ids = mem_alloc(policy->members.count + 1, sizeof(*view.peer_ids));
	view.routes = mem_alloc(policy->routes.count + 1, sizeof(*view.routes));
	if (view.peer_ids && view.routes)
		r = guard_build(facts, self->node->tunnel.interface, &view.guard);
	if (!r)
		r = build_routes(&view);
	if (r)
		err_sys(err, r, "see the routes of %s", self->name);
	else
		r = view_assign_ids(&view, err);

	if (r)
		view_free(&view);
	else
		*out = view;
	return r;
}

void view_free(struct view *view)
{
	free(view->peer_ids);
	free(view->routes);
	guard_free(&view->guard);
	memset(view, 0, sizeof(*view));
}
