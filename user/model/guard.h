/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The LAN guard ("local": "prefer-local"): what this machine's own devices and routes hold, the
 * mesh does not take.
 */
#ifndef TP_MODEL_GUARD_H
#define TP_MODEL_GUARD_H

#include "model/facts.h"
#include "towpath/route.h"

/* Routes of the kernel that are neither ours, nor a default, nor by the tunnel. */
struct guard_routes {
	const struct facts_route **items; /* sorted by prefix, then metric */
	size_t count;
	bool has_length[129]; /* of prefixes among them */
};

/* Points into facts, which must outlive it. */
struct guard {
	const struct facts *facts;
	const char *tunnel; /* its name; it may not exist yet */
	struct guard_routes routes;
	struct guard_routes behind; /* of facts->behind what no route among the former is around */
	bool dead_default[2];       /* IPv6, IPv4: the best default route leads nowhere */
};

struct guard_verdict {
	char reason[sizeof(((struct tp_route_info *)0)->reason)];
};

/* 0 or -ENOMEM; *out is guard_free'd, also when it was only zeroed. */
int guard_build(const struct facts *facts, const char *tunnel, struct guard *out);
void guard_free(struct guard *guard);

/*
 * Whether a route through the tunnel is to be held back, and why: its prefix equals or lies in
 * what a device of this machine is on or a route of its own leads to, whatever the metric. A table
 * behind ours would never be asked: what overlaps a route there is held back too. Without the
 * tunnel's own packets nothing works: so a default route holds back another one.
 */
bool guard_holds(const struct guard *guard, const struct prefix *prefix, struct guard_verdict *out);

/* 0.0.0.0/0, and what VPNs put in its place: 0.0.0.0/1, 2000::/3 and the like. */
bool guard_stands_for_default(const struct prefix *prefix);
/* Whether the kernel's own routes end at one that leads nowhere (a blackhole) for that prefix. */
bool guard_is_in_blackhole(const struct guard *guard, const struct prefix *prefix);

/* The kernel's own route to exactly this prefix, at its lowest metric; NULL when there is none. */
const struct facts_route *guard_find_route(const struct guard *guard, const struct prefix *prefix);

/* "10.0.0.0/8 dev eth0 metric 100"; buf of GUARD_ROUTE_SIZE, returned. */
#define GUARD_ROUTE_SIZE 122
const char *guard_put_route(char *buf, const struct guard *guard, const struct facts_route *route);

/* A tunnel of ours, also one that does not exist yet or has its name from an older policy. */
bool guard_is_tunnel(const struct guard *guard, const struct facts_link *link);
/* Whether an address counts as a LAN of this machine, be its device up or not. */
bool guard_is_lan(const struct guard *guard, const struct facts_addr *addr, const char **device);
struct prefix guard_connected(const struct facts_addr *addr);

#endif
