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

static __always_inline struct tp_sock_more *more_of(const struct bpf_sock_addr *ctx, bool make)
{
	return ctx->sk ? bpf_sk_storage_get(&tp_sock_more, ctx->sk, NULL,
					    make ? BPF_SK_STORAGE_GET_F_CREATE : 0)
		       : NULL;
}

/*
 * A search through what a socket has: first the few entries, then, numbered on from those, more.
 * Callbacks and no loops, as the verifier would follow every entry that may be found. Before Linux
 * 6.7 it goes by the first call alone (service.h): nothing here may depend on the values that a
 * search begins with, but where an entry decides, which it does not know.
 */
struct tp_sock_search {
	struct tp_sock_udp *udp;
	struct tp_sock_more *more; /* NULL: it has none */
	const struct peer *peer;
	__u64 latest; /* when the entry that was found was used */
	__u32 found;
	__u32 unused;
};

#define TP_SOCK_NONE (~0U)

static __always_inline void search_start(struct tp_sock_search *search, struct tp_sock_udp *udp,
					 struct tp_sock_more *more, const struct peer *peer)
{
	search->udp = udp;
	search->more = more;
	search->peer = peer;
	search->latest = 0;
	search->found = TP_SOCK_NONE;
	search->unused = TP_SOCK_NONE;
}

/* By its number; NULL: there is none of that. */
static __always_inline struct tp_sock_rev *entry_at(const struct tp_sock_search *search,
						    __u32 number)
{
	struct tp_sock_more *more = search->more;

	if (number < TP_SOCK_SERVICES)
		return &search->udp->services[number];
	number -= TP_SOCK_SERVICES;
	if (!more || number >= TP_SOCK_MORE)
		return NULL;
	barrier_var(more); /* the verifier wants no arithmetic before it was compared with NULL */
	return &more->services[number];
}

static long compare_vip(__u32 i, struct tp_sock_search *search)
{
	const struct tp_sock_rev *entry = entry_at(search, i);

	if (!entry)
		return 1;
	if (!entry->used) {
		search->unused = i;
		return 0;
	}
	if (!is_vip(entry, search->peer))
		return 0;
	search->found = i;
	return 1;
}

static __always_inline __u64 used_at(const struct tp_sock_rev *entry)
{
	return (__u64)(entry->round / TP_SOCK_ROUND) << 32 | entry->used;
}

static long compare_use(__u32 i, struct tp_sock_search *search)
{
	const struct tp_sock_rev *entry = entry_at(search, i);

	if (!entry)
		return 1;
	if (is_backend(entry, search->peer) && used_at(entry) > search->latest) {
		search->latest = used_at(entry);
		search->found = i;
	}
	return 0;
}

static long mark_direct(__u32 i, struct tp_sock_search *search)
{
	struct tp_sock_rev *entry = entry_at(search, i);

	if (!entry)
		return 1;
	if (entry->used && is_backend(entry, search->peer))
		entry->round |= TP_SOCK_DIRECT;
	return 0;
}

#define TP_SOCK_ALL (TP_SOCK_SERVICES + TP_SOCK_MORE)

/* The entry of the service, else a free one; NULL when the socket has used up all. */
static __always_inline struct tp_sock_rev *
entry_for(const struct bpf_sock_addr *ctx, struct tp_sock_udp *udp, const struct peer *vip)
{
	struct tp_sock_search search;

	search_start(&search, udp, more_of(ctx, false), vip);
	bpf_loop(TP_SOCK_ALL, compare_vip, &search, 0);
	if (search.found != TP_SOCK_NONE)
		return entry_at(&search, search.found);
	if (search.unused != TP_SOCK_NONE)
		return entry_at(&search, search.unused);
	if (search.more)
		return NULL;
	search.more = more_of(ctx, true);
	return entry_at(&search, TP_SOCK_SERVICES);
}

/* Now a datagram goes to the service: no other has been used later. */
static __always_inline void note_used(struct tp_sock_udp *udp, struct tp_sock_rev *entry)
{
	udp->clock++;
	if (!udp->clock) {
		udp->clock = 1;
		udp->round += TP_SOCK_ROUND;
	}
	entry->used = udp->clock;
	entry->round = udp->round;
}

/* A datagram goes to the backend by its own address: its answers are not a service's. */
static __always_inline void note_direct(const struct bpf_sock_addr *ctx, const struct peer *backend)
{
	struct tp_sock_udp *udp = datagrams_of(ctx, false);
	struct tp_sock_search search;

	if (!udp)
		return;
	search_start(&search, udp, more_of(ctx, false), backend);
	bpf_loop(TP_SOCK_ALL, mark_direct, &search, 0);
}

/*
 * Two services may have one backend: a datagram of that is the one's that was used last, which may
 * also be no service's at all. NULL: show the address as it is.
 */
static __always_inline struct tp_sock_rev *last_used(const struct bpf_sock_addr *ctx,
						     const struct peer *backend)
{
	struct tp_sock_udp *udp = datagrams_of(ctx, false);
	struct tp_sock_search search;
	struct tp_sock_rev *found;

	if (!udp)
		return NULL;
	search_start(&search, udp, more_of(ctx, false), backend);
	bpf_loop(TP_SOCK_ALL, compare_use, &search, 0);
	found = entry_at(&search, search.found);
	return found && !(found->round & TP_SOCK_DIRECT) ? found : NULL;
}

#endif
