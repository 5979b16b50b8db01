// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps another tool's socket load balancer away from exempt network namespaces, and from our own
 * probes, without touching that tool. One program runs before its programs: it remembers where the
 * socket wants to go and puts an address there that nobody serves. One runs after them and puts the
 * destination back. The other tool sees nothing to translate, so there is nothing to undo on the
 * way back.
 *
 * Should either be missing, an exempt socket gets an error and never a backend: without the second
 * one it goes nowhere, and what the first one has not seen, the second one refuses.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "lib/service.h"
#include "lib/sock_addr.h"

#define GO_ON  1
#define REFUSE 0

/* With the socket, whose lock the kernel holds from the first program to the last. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tp_sock_hidden);
} tp_sock_hidden SEC(".maps");

static __always_inline bool is_exempt(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	const struct tp_socket_lb *lb;
	__u32 zero = 0;

	lb = bpf_map_lookup_elem(&tp_socket_lb, &zero);
	return lb && lb->hide & TP_HIDE_EXEMPT && bpf_map_lookup_elem(&tp_exempt, &cookie);
}

/* The policy says that other tools translate it for exempt sockets as well. */
static __always_inline bool is_left_to_others(const struct peer *peer)
{
	const struct tp_prefix key = { .prefix_len = 128, .addr = peer->addr };
	const struct tp_foreign *foreign = bpf_map_lookup_elem(&tp_foreign, &key);

	return foreign && foreign->v4 == addr_is_mapped(&peer->addr);
}

/* Others translate no other protocols. */
static __always_inline bool is_translated(const struct bpf_sock_addr *ctx)
{
	return ctx->sk && (ctx->protocol == IPPROTO_TCP || ctx->protocol == IPPROTO_UDP);
}

static __always_inline struct tp_sock_hidden *hidden_of(const struct bpf_sock_addr *ctx, bool make)
{
	return ctx->sk ? bpf_sk_storage_get(&tp_sock_hidden, ctx->sk, NULL,
					    make ? BPF_SK_STORAGE_GET_F_CREATE : 0)
		       : NULL;
}

static __always_inline int refuse(int error)
{
	bpf_set_retval(error);
	return REFUSE;
}

/*
 * What is still hidden was never put back: the second program was not there. exempt: that one
 * refuses what we have not seen.
 */
static __always_inline int leave(const struct bpf_sock_addr *ctx, bool exempt)
{
	struct tp_sock_hidden *hidden = hidden_of(ctx, exempt);

	if (hidden)
		hidden->named = TP_NAMED_DONE;
	return hidden || !exempt ? GO_ON : refuse(-ENOMEM);
}

/*
 * Port 0, which the kernel refuses to send a datagram to; and an address that it refuses to connect
 * to, whatever the routes: 255.255.255.255, which is a broadcast on every device, and ff01::1,
 * which leaves no host (RFC 4291 2.7.1). 0.0.0.0/8 is routed like any other since Linux 5.3. Only
 * UDP can do what broadcast and multicast are for: with SO_BROADCAST, or IPv6 bound to a device, it
 * is connected, to port 0.
 */
static __always_inline struct peer nowhere(enum family family)
{
	struct peer peer = { .addr.bytes = { [0] = 0xff, [1] = 0x01, [15] = 1 } };

	if (family == FAMILY_V4)
		peer.addr =
			(struct tp_addr){ .bytes = { [10] = 255, 255, [12] = 255, 255, 255, 255 } };
	return peer;
}

/*
 * Nor is it hidden twice: while a repair has the program there two times, or another instance's is
 * there as well, the first one has kept the destination and what belongs to it puts that back.
 */
static __always_inline int leave_twice(const struct bpf_sock_addr *ctx, bool exempt)
{
	const struct tp_sock_hidden *hidden = hidden_of(ctx, false);

	return hidden && hidden->named == TP_NAMED_HIDDEN ? GO_ON : leave(ctx, exempt);
}

static __always_inline int hide(struct bpf_sock_addr *ctx, enum family family)
{
	const struct peer to = nowhere(family);
	struct tp_sock_hidden *hidden;
	struct peer peer;
	bool exempt;

	if (!is_translated(ctx))
		return GO_ON;
	exempt = is_exempt(ctx);
	peer_read(&peer, ctx, family);
	if (!peer.port && addr_same(&peer.addr, &to.addr))
		return leave_twice(ctx, exempt);
	if (!is_probe(ctx) && (!exempt || is_left_to_others(&peer)))
		return leave(ctx, exempt);
	hidden = hidden_of(ctx, true);
	if (!hidden)
		return refuse(-ENOMEM);
	hidden->addr = peer.addr;
	hidden->port = peer.port;
	hidden->named = TP_NAMED_HIDDEN;
	peer_write(ctx, family, &to.addr, to.port);
	return GO_ON;
}

/*
 * By what was hidden and not by tp_exempt, which may have changed in between. A probe that nothing
 * could hide asks a backend all the same: all would count as dead.
 */
static __always_inline int restore(struct bpf_sock_addr *ctx, enum family family)
{
	struct tp_sock_hidden *hidden = hidden_of(ctx, false);

	if (!hidden || hidden->named == TP_NAMED_UNSEEN)
		return is_translated(ctx) && is_exempt(ctx) && !is_probe(ctx) ? refuse(-EACCES)
									      : GO_ON;
	if (hidden->named == TP_NAMED_HIDDEN)
		peer_write(ctx, family, &hidden->addr, hidden->port);
	hidden->named = TP_NAMED_DONE;
	return GO_ON;
}

#define PROGRAM(name, hook, does, family)   \
	SEC("cgroup/" hook)                 \
	int name(struct bpf_sock_addr *ctx) \
	{                                   \
		return does(ctx, family);   \
	}

PROGRAM(tp_hide_c4, "connect4", hide, FAMILY_V4)
PROGRAM(tp_hide_c6, "connect6", hide, FAMILY_V6)
PROGRAM(tp_hide_s4, "sendmsg4", hide, FAMILY_V4)
PROGRAM(tp_hide_s6, "sendmsg6", hide, FAMILY_V6)
PROGRAM(tp_restore_c4, "connect4", restore, FAMILY_V4)
PROGRAM(tp_restore_c6, "connect6", restore, FAMILY_V6)
PROGRAM(tp_restore_s4, "sendmsg4", restore, FAMILY_V4)
PROGRAM(tp_restore_s6, "sendmsg6", restore, FAMILY_V6)

char _license[] SEC("license") = "GPL";
