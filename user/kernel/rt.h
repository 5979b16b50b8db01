/* SPDX-License-Identifier: GPL-2.0-only */
/* Links, addresses and routes of the netns that the socket was opened in. */
#ifndef TP_KERNEL_RT_H
#define TP_KERNEL_RT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/err.h"
#include "kernel/rt_codec.h"

struct nl;

/*
 * The mark of a device that we made is its alias: this, and the instance. A device without it is
 * never touched.
 */
#define RT_ALIAS_PREFIX "towpath:"
/* "tp" and a number nobody else is likely to use: a device that has no alias yet. */
#define RT_GROUP_UNFINISHED 0x74700001u

/* buf of RT_ALIAS_SIZE; returns buf. */
const char *rt_alias_put(char *buf, const char *instance);
bool rt_link_is_ours(const struct rt_link *link, const char *instance);

struct rt_links {
	ARRAY_OF(struct rt_link);
};

struct rt_addrs {
	ARRAY_OF(struct rt_addr);
};

struct rt_routes {
	ARRAY_OF(struct rt_route);
};

/* Each adds to out, which the caller empties with array_clear, also after a failure. */
int rt_dump_links(struct nl *nl, struct rt_links *out, struct err *err);
int rt_dump_addrs(struct nl *nl, struct rt_addrs *out, struct err *err);
/* Of one table; the first in both families. */
int rt_dump_routes(struct nl *nl, uint32_t table, struct rt_routes *out, struct err *err);
int rt_dump_family(struct nl *nl, uint8_t family, uint32_t table, struct rt_routes *out,
		   struct err *err);

/* -ENODEV when there is none. */
int rt_find_link(struct nl *nl, const char *name, struct rt_link *out, struct err *err);
/* The egress and source address that the kernel would choose toward an address. */
int rt_find_path(struct nl *nl, const struct addr *to, struct rt_path *out, struct err *err);

/*
 * 0 when the device is there and ours, -ENODEV when there is none, -EEXIST when it is somebody
 * else's or of another kind.
 */
int rt_claim_link(struct nl *nl, const char *name, const char *kind, const char *instance,
		  struct err *err);
/*
 * Creates a device with our mark, or claims the one that is there. The kernel takes an alias only
 * once the device exists; between the two steps it carries a group number of ours instead, so
 * that rt_claim_link knows a device that a crash left half made.
 */
int rt_add_link(struct nl *nl, const char *name, const char *kind, const char *instance,
		struct err *err);
/*
 * From nl's netns into another one, where the caller then claims it. What a device made in the
 * kernel opens by itself, as WireGuard its UDP socket, is in nl's.
 */
int rt_add_link_into(struct nl *nl, int netns_fd, const char *name, const char *kind,
		     struct err *err);
int rt_move_link(struct nl *nl, const struct rt_link *link, int netns_fd, struct err *err);
int rt_change_link(struct nl *nl, const struct rt_link *link, const struct rt_link_change *change,
		   struct err *err);
/* One that is gone is success. */
int rt_remove_link(struct nl *nl, const struct rt_link *link, struct err *err);

/* As a host prefix. Adding what is there and removing what is gone are success. */
int rt_add_addr(struct nl *nl, uint32_t ifindex, const struct addr *addr, struct err *err);
int rt_remove_addr(struct nl *nl, uint32_t ifindex, const struct addr *addr, struct err *err);

/*
 * Adds a route of ours, or changes it; somebody else's route to the same prefix is left alone and
 * is -EEXIST. Removing one that is gone is success.
 */
int rt_add_route(struct nl *nl, uint32_t ifindex, const struct state_route *route, struct err *err);
int rt_remove_route(struct nl *nl, uint32_t ifindex, const struct state_route *route,
		    struct err *err);

#endif
