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

/* Piece 0 is tp_sock_udp's entries, the others are as many each of tp_sock_more's. */
#define SOCK_PIECES (1 + TP_SOCK_MORE / TP_SOCK_SERVICES)

/* The entries of a piece; NULL: the socket has none. */
static __always_inline struct tp_sock_rev *piece_of(const struct bpf_sock_addr *ctx, __u32 piece)
{
	struct tp_sock_more *more;
	struct tp_sock_udp *udp;

	if (!piece) {
		udp = datagrams_of(ctx, false);
		return udp ? udp->services : NULL;
	}
	piece--;
	more = more_of(ctx, false);
	if (!more || piece >= TP_SOCK_MORE / TP_SOCK_SERVICES)
		return NULL;
	barrier_var(more); /* the verifier wants no arithmetic before it was compared with NULL */
	return &more->services[piece * TP_SOCK_SERVICES];
}

/* The first three are for an entry to use, the others for what a backend stands for. */
enum sock_search_for {
	SEARCH_VIP,     /* the entry of the service, or a free one */
	SEARCH_SPARE,   /* one of the service's that is past, or a free one */
	SEARCH_PAST,    /* one that is past, of whatever service */
	SEARCH_BACKEND, /* of those with the backend, the one that was used last */
	SEARCH_DIRECT,  /* all with the backend, to note that it is used directly now */
};

struct sock_search {
	struct peer peer;
	enum sock_search_for what;
	__u64 latest; /* when the entry that was found was used */
	__u32 found;  /* its number, counted through all pieces; SOCK_NONE */
	__u32 unused; /* the number of a free one; SOCK_NONE */
};

#define SOCK_NONE (~0U)

static __always_inline __u64 used_at(const struct tp_sock_rev *entry)
{
	return (__u64)(entry->round / TP_SOCK_ROUND) << 32 | entry->used;
}

static __always_inline bool is_searched(const struct sock_search *search,
					const struct tp_sock_rev *entry)
{
	bool past = entry->index == TP_SOCK_PAST;

	if (search->what == SEARCH_PAST)
		return past;
	return is_vip(entry, &search->peer) && past == (search->what == SEARCH_SPARE);
}

/* True: the search is over. */
static __always_inline bool search_entry(struct sock_search *search, struct tp_sock_rev *entry,
					 __u32 number)
{
	if (search->what < SEARCH_BACKEND) {
		if (!entry->used)
			search->unused = number;
		else if (is_searched(search, entry))
			search->found = number;
		return search->found != SOCK_NONE;
	}
	if (!entry->used || !is_backend(entry, &search->peer))
		return false;
	if (search->what == SEARCH_DIRECT) {
		entry->round |= TP_SOCK_DIRECT;
	} else if (used_at(entry) > search->latest) {
		search->latest = used_at(entry);
		search->found = number;
	}
	return false;
}

/*
 * 1: the search is over. A global function: the verifier goes through it once, for any piece, and
 * not on from every entry that may be found. bpf_loop would do too, but Linux 6.1 refuses its
 * callbacks here.
 */
__noinline int search_piece(struct bpf_sock_addr *ctx, struct sock_search *search, __u32 piece)
{
	struct tp_sock_rev *entries = piece_of(ctx, piece);

	if (!entries || !search)
		return 1;
	for (__u32 i = 0; i < TP_SOCK_SERVICES; i++)
		if (search_entry(search, &entries[i], piece * TP_SOCK_SERVICES + i))
			return 1;
	return 0;
}

static __always_inline void search_socket(struct bpf_sock_addr *ctx, struct sock_search *search,
					  enum sock_search_for what, const struct peer *peer)
{
	__builtin_memset(search, 0, sizeof(*search));
	search->peer = *peer;
	search->what = what;
	search->found = SOCK_NONE;
	search->unused = SOCK_NONE;
	for (__u32 piece = 0; piece < SOCK_PIECES; piece++)
		if (search_piece(ctx, search, piece))
			break;
}

/* By its number; NULL: there is none of that. */
static __always_inline struct tp_sock_rev *entry_at(const struct bpf_sock_addr *ctx, __u32 number)
{
	struct tp_sock_rev *entries = piece_of(ctx, number / TP_SOCK_SERVICES);

	return entries ? &entries[number % TP_SOCK_SERVICES] : NULL;
}

/* What was found, else a free one; NULL when the socket has used up all. */
static __always_inline struct tp_sock_rev *found_or_free(const struct bpf_sock_addr *ctx,
							 const struct sock_search *search)
{
	struct tp_sock_more *more;

	if (search->found != SOCK_NONE)
		return entry_at(ctx, search->found);
	if (search->unused != SOCK_NONE)
		return entry_at(ctx, search->unused);
	if (more_of(ctx, false))
		return NULL;
	more = more_of(ctx, true); /* stays, even if no backend should be found now */
	return more ? more->services : NULL;
}

/* The entry of the service, else one to be its; NULL: the socket talks to as many as it may. */
static __always_inline struct tp_sock_rev *entry_for(struct bpf_sock_addr *ctx,
						     const struct peer *vip)
{
	struct sock_search search;
	struct tp_sock_rev *entry;

	search_socket(ctx, &search, SEARCH_VIP, vip);
	entry = found_or_free(ctx, &search);
	if (entry)
		return entry;
	search_socket(ctx, &search, SEARCH_PAST, vip);
	return search.found != SOCK_NONE ? entry_at(ctx, search.found) : NULL;
}

/* Where the service's next backend goes, beside the one that it had. NULL: there is no room. */
static __always_inline struct tp_sock_rev *spare_for(struct bpf_sock_addr *ctx,
						     const struct peer *vip)
{
	struct sock_search search;

	search_socket(ctx, &search, SEARCH_SPARE, vip);
	return found_or_free(ctx, &search);
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
static __always_inline void note_direct(struct bpf_sock_addr *ctx, const struct peer *backend)
{
	struct sock_search search;

	if (datagrams_of(ctx, false))
		search_socket(ctx, &search, SEARCH_DIRECT, backend);
}

/*
 * Two services may have one backend: a datagram of that is the one's that was used last, which may
 * also be no service's at all. NULL: show the address as it is.
 */
static __always_inline struct tp_sock_rev *last_used(struct bpf_sock_addr *ctx,
						     const struct peer *backend)
{
	struct sock_search search;
	struct tp_sock_rev *found;

	if (!datagrams_of(ctx, false))
		return NULL;
	search_socket(ctx, &search, SEARCH_BACKEND, backend);
	found = search.found != SOCK_NONE ? entry_at(ctx, search.found) : NULL;
	return found && !(found->round & TP_SOCK_DIRECT) ? found : NULL;
}

#endif
