/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel has now, read and nothing else. For the netns that the caller is in. */
#ifndef TP_KERNEL_OBSERVE_H
#define TP_KERNEL_OBSERVE_H

#include "base/err.h"
#include "kernel/rt.h"
#include "model/facts.h"
#include "model/state.h"

/*
 * Fills links, addresses, routes, sysctls, what the kernel can do, and the time. Left for the
 * caller: jiffies, ids, keys, hosts and the object's hash. out is empty before; untouched on
 * failure.
 *
 * ours, which may be NULL, gets the routes that carry our mark on devices of ours: the same dump
 * tells them, and there may be a hundred thousand. The caller empties it with array_clear, also
 * after a failure.
 */
int observe_facts(struct facts *out, struct rt_routes *ours, const char *instance, struct err *err);

/*
 * Fills have->tunnel and have->routes, those among ours that are the tunnel's, and sets
 * have->exists when there is a tunnel. A device of that name without our mark is not there as far
 * as have is concerned. Untouched on failure.
 */
int observe_net(struct state *have, const struct rt_routes *ours, const char *instance,
		const char *tunnel_name, struct err *err);

/*
 * Fills have->rules, after all the rest. When nothing else of ours is there, those that lead to
 * routes are another instance's and left out.
 */
int observe_rules(struct state *have, struct err *err);

/* Fills have->lan_addresses: what carries our mark on the LAN devices among have->devices. */
int observe_lan_addresses(struct state *have, struct err *err);

#endif
