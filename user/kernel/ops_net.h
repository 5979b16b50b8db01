/* SPDX-License-Identifier: GPL-2.0-only */
/* Does the steps of a plan that concern sysctls, the tunnel, its addresses and routes. */
#ifndef TP_KERNEL_OPS_NET_H
#define TP_KERNEL_OPS_NET_H

#include <stdbool.h>

#include "base/err.h"
#include "kernel/netns.h"
#include "kernel/rt.h"
#include "kernel/wg.h"
#include "plan/ops.h"

struct nl;

/* The sockets of one apply. */
struct ops_net_context {
	struct nl *nl;
	const struct netns *netns; /* that the caller has entered, and nl is of */
	struct wg_device wg;       /* opened by the first op that needs it */
	struct rt_link link;       /* the tunnel's device, as it was a few ops ago */
	unsigned int link_uses;    /* left before it is looked up again */
};

/* netns: the caller's, which outlives it. */
int ops_net_open(struct ops_net_context *context, const struct netns *netns, struct err *err);
/* A zeroed context is fine. */
void ops_net_close(struct ops_net_context *context);

bool ops_net_handles(enum op_kind kind);

/* How many of the ops from op on are best done together: peers, which share a message. */
size_t ops_net_count(const struct op *op, size_t left);

/*
 * Does that many ops, or one, that ops_net_handles; -EINVAL for another. What sets reads want, what
 * removes reads have, and the other may be NULL. A step that is done already is success.
 */
int ops_net_run(struct ops_net_context *context, const struct op *op, size_t count,
		const struct state *want, const struct state *have, const char *instance,
		struct err *err);

#endif
