/* SPDX-License-Identifier: GPL-2.0-only */
/* The address of a cgroup/sock_addr program: the same for both families. */
#ifndef BPF_LIB_SOCK_ADDR_H
#define BPF_LIB_SOCK_ADDR_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "lib/service_maps.h"

/* The other end, as the program asked for it or as the kernel tells it. */
struct peer {
	struct tp_addr addr;
	__be16 port;
};

enum family { FAMILY_V4, FAMILY_V6 };

/*
 * A socket of IPv6 names an IPv4 address in the mapped form (RFC 4291 2.5.5.2), which is ours
 * anyway: it finds the IPv4 service.
 */
static __always_inline void peer_read(struct peer *peer, const struct bpf_sock_addr *ctx,
				      enum family family)
{
	__u32 *words = (__u32 *)&peer->addr;

	if (family == FAMILY_V4) {
		words[0] = 0;
		words[1] = 0;
		words[2] = bpf_htonl(0xffff);
		words[3] = ctx->user_ip4;
	} else {
		words[0] = ctx->user_ip6[0];
		words[1] = ctx->user_ip6[1];
		words[2] = ctx->user_ip6[2];
		words[3] = ctx->user_ip6[3];
	}
	peer->port = (__be16)ctx->user_port;
}

/* Whether the kernel has the socket connected to that one. */
static __always_inline bool is_connected_to(const struct bpf_sock_addr *ctx, enum family family,
					    const struct peer *peer)
{
	const __u32 *words = (const __u32 *)&peer->addr;
	const struct bpf_sock *sk = ctx->sk;

	if (!sk || sk->state != BPF_TCP_ESTABLISHED || sk->dst_port != peer->port)
		return false;
	if (family == FAMILY_V4)
		return sk->dst_ip4 == words[3];
	return sk->dst_ip6[0] == words[0] && sk->dst_ip6[1] == words[1] &&
	       sk->dst_ip6[2] == words[2] && sk->dst_ip6[3] == words[3];
}

static __always_inline void peer_write(struct bpf_sock_addr *ctx, enum family family,
				       const struct tp_addr *addr, __be16 port)
{
	const __u32 *words = (const __u32 *)addr;

	if (family == FAMILY_V4) {
		ctx->user_ip4 = words[3];
	} else {
		ctx->user_ip6[0] = words[0];
		ctx->user_ip6[1] = words[1];
		ctx->user_ip6[2] = words[2];
		ctx->user_ip6[3] = words[3];
	}
	ctx->user_port = port;
}

/* One of those that this machine's own towpath asks backends by. */
static __always_inline bool is_probe(const struct bpf_sock_addr *ctx)
{
	return ctx->sk && bpf_sk_storage_get(&tp_sock_own, ctx->sk, NULL, 0);
}

#endif
