/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a socket was told of whom it talks to. The kernel holds the socket's lock over all of these
 * programs, so nothing here is shared between two of them.
 */
#ifndef BPF_LIB_SOCK_REV_H
#define BPF_LIB_SOCK_REV_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lib/service.h"
#include "lib/service_maps.h"
#include "lib/sock_addr.h"

static __always_inline bool is_vip(const struct tp_sock_rev *rev, const struct peer *peer)
{
	return rev->vip_port == peer->port && addr_same(&rev->vip, &peer->addr);
}

static __always_inline bool is_backend(const struct tp_sock_rev *rev, const struct peer *peer)
{
	return rev->backend_port == peer->port && addr_same(&rev->backend, &peer->addr);
}

static __always_inline struct tp_sock_rev *connected_of(const struct bpf_sock_addr *ctx, bool make)
{
	return ctx->sk ? bpf_sk_storage_get(&tp_sock_rev, ctx->sk, NULL,
					    make ? BPF_SK_STORAGE_GET_F_CREATE : 0)
		       : NULL;
}

/*
 * Of a UDP socket: what it is connected to now, by a service's address; else NULL. connect() to
 * AF_UNSPEC runs no program, so what was noted may be over.
 */
static __always_inline struct tp_sock_rev *connected_now(const struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk && sk->state == BPF_TCP_ESTABLISHED ? connected_of(ctx, false) : NULL;
}

static __always_inline struct tp_sock_udp *datagrams_of(const struct bpf_sock_addr *ctx, bool make)
{
	return ctx->sk ? bpf_sk_storage_get(&tp_sock_udp, ctx->sk, NULL,
					    make ? BPF_SK_STORAGE_GET_F_CREATE : 0)
		       : NULL;
}

/* The entry of the service, else a free one; NULL when the socket has used up all. */
static __always_inline struct tp_sock_rev *entry_for(struct tp_sock_udp *udp,
						     const struct peer *vip)
{
	struct tp_sock_rev *unused = NULL;

	for (__u32 i = 0; i < TP_SOCK_SERVICES; i++) {
		struct tp_sock_rev *entry = &udp->services[i];

		if (entry->used && is_vip(entry, vip))
			return entry;
		if (!entry->used && !unused)
			unused = entry;
	}
	return unused;
}

/*
 * Two services may have one backend: a datagram of that is the one's that was used last, which may
 * also be no service's at all. NULL: show the address as it is.
 */
static __always_inline struct tp_sock_rev *last_used(struct tp_sock_udp *udp,
						     const struct peer *backend)
{
	struct tp_sock_rev *found = NULL;

	for (__u32 i = 0; i < TP_SOCK_SERVICES; i++) {
		struct tp_sock_rev *entry = &udp->services[i];

		if (entry->used && is_backend(entry, backend) &&
		    (!found || entry->used > found->used))
			found = entry;
	}
	return found && !found->direct ? found : NULL;
}

#endif
