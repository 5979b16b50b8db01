/* SPDX-License-Identifier: GPL-2.0-only */
/* The policy as one node sees it: numbers of rows, and what becomes of each route here. */
#ifndef TP_MODEL_VIEW_H
#define TP_MODEL_VIEW_H

#include "base/err.h"
#include "model/facts.h"
#include "model/policy.h"
#include "towpath/route.h"

struct view_route {
	const struct policy_route *route;
	uint32_t id;
	enum tp_route_state state;
	enum tp_route_kind kind; /* TP_ROUTE_NONE: gets no row here */
	char reason[sizeof(((struct tp_route_info *)0)->reason)];
};

/* Points into policy and facts, which must outlive it. */
struct view {
	const struct policy *policy;
	const struct facts *facts;
	const struct policy_member *self;
	uint32_t *peer_ids;        /* by member; 0 = this node itself */
	struct view_route *routes; /* one for each of policy->routes */
	/* those of facts that hold a prefix against ours; sorted by prefix, then metric */
	const struct facts_route **kernel_routes;
	size_t kernel_route_count;
};

/* 0, -ENOMEM, or -E2BIG when the tables of the programs are too small; *out is view_free'd. */
int view_build(const struct policy *policy, const struct policy_member *self,
	       const struct facts *facts, struct view *out, struct err *err);
void view_free(struct view *view);

bool view_member_is_expired(const struct view *view, const struct policy_member *member);
/* Who advertises it. */
const struct policy_member *view_carrier(const struct view *view, const struct view_route *route);

/* view_ids.c: rows keep their numbers as long as their owner lives; new ones get the lowest. */
int view_assign_ids(struct view *view, struct err *err);

/* view_kernel.c: fills view->kernel_routes. 0 or -ENOMEM. */
int view_list_kernel_routes(struct view *view);
/* The kernel's own route to exactly this prefix, at its lowest metric; NULL when there is none. */
const struct facts_route *view_find_kernel_route(const struct view *view,
						 const struct prefix *prefix);

/*
 * The connected prefix of a device of this machine, the tunnel and loopback aside, that the route
 * equals or lies in; NULL when there is none. *device is the device's name.
 */
const struct facts_addr *view_find_lan(const struct view *view, const struct prefix *route,
				       const char **device);

/* A tunnel of ours, also one that does not exist yet or has its name from an older policy. */
bool view_is_tunnel(const struct view *view, const struct facts_link *link);
/* Whether an address counts as a LAN of this machine. */
bool view_is_lan(const struct view *view, const struct facts_addr *addr, const char **device);
struct prefix view_connected(const struct facts_addr *addr);

#endif
