/* SPDX-License-Identifier: GPL-2.0-only */
/* The policy as one node sees it: numbers of rows, and what becomes of each route here. */
#ifndef TP_MODEL_VIEW_H
#define TP_MODEL_VIEW_H

#include "base/err.h"
#include "model/guard.h"
#include "model/policy.h"
#include "towpath/route.h"

/* Why a route is in its state. */
enum view_reason {
	VIEW_UNAPPROVED,
	VIEW_OWN_LAN,        /* it is this node's own */
	VIEW_REACHED_BY_LAN, /* somebody else's, but this node has it too */
	VIEW_NOT_ACCEPTED,
	VIEW_HELD,      /* by the guard */
	VIEW_EXPIRED,   /* who advertises it */
	VIEW_STAND_IN,  /* the same, and `other` has a shorter one in use */
	VIEW_PREFERRED, /* other is */
	VIEW_TUNNEL,    /* other is the next hop */
};

struct view_route {
	const struct policy_route *route;
	uint32_t id;
	uint32_t other; /* index of a member, where the reason names one */
	uint8_t state;  /* enum tp_route_state */
	uint8_t kind;   /* enum tp_route_kind; TP_ROUTE_NONE: gets no row here */
	uint8_t reason; /* enum view_reason */
};

/* Points into policy and facts, which must outlive it. */
struct view {
	const struct policy *policy;
	const struct facts *facts;
	const struct policy_member *self;
	uint32_t *peer_ids;        /* by member; 0 = this node itself */
	struct view_route *routes; /* one for each of policy->routes */
	struct guard guard;
};

/* 0, -ENOMEM, or -E2BIG when the tables of the programs are too small; *out is view_free'd. */
int view_build(const struct policy *policy, const struct policy_member *self,
	       const struct facts *facts, struct view *out, struct err *err);
void view_free(struct view *view);

/*
 * view_service.c: whether packets to the service are this node's to carry: the first of those that
 * share its address, and the machine has no route of its own there.
 */
bool view_leads_service(const struct view *view, const struct config_service *service);
/*
 * The backends that neither a route of the mesh nor a LAN of this node leads to: the kernel's to
 * know. Added to *out, sorted, each once; 0 or -ENOMEM.
 */
int view_find_strays(const struct view *view, struct config_addrs *out);

bool view_member_is_expired(const struct view *view, const struct policy_member *member);
/* Who advertises it. */
const struct policy_member *view_carrier(const struct view *view, const struct view_route *route);

/* view_reason.c: the reason in words. A buffer of VIEW_REASON_SIZE, which is returned. */
#define VIEW_REASON_SIZE sizeof(((struct tp_route_info *)0)->reason)
const char *view_put_reason(char *buf, const struct view *view, const struct view_route *route);

/* view_ids.c: rows keep their numbers as long as their owner lives; new ones get the lowest. */
int view_assign_ids(struct view *view, struct err *err);

#endif
