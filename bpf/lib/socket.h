/* SPDX-License-Identifier: GPL-2.0-only */
/* This machine's own TCP sockets. */
#ifndef BPF_LIB_SOCKET_H
#define BPF_LIB_SOCKET_H

#include "lib/pkt.h"
#include "lib/tcp.h"

#define SOCKET_CONNECTED                                                                 \
	(1U << BPF_TCP_ESTABLISHED | 1U << BPF_TCP_FIN_WAIT1 | 1U << BPF_TCP_FIN_WAIT2 | \
	 1U << BPF_TCP_CLOSE_WAIT | 1U << BPF_TCP_LAST_ACK | 1U << BPF_TCP_CLOSING)

static __always_inline __u32 socket_tuple(const struct pkt *pkt, struct bpf_sock_tuple *tuple)
{
	if (pkt->v6) {
		__builtin_memcpy(tuple->ipv6.saddr, &pkt->key.src, sizeof(pkt->key.src));
		__builtin_memcpy(tuple->ipv6.daddr, &pkt->key.dst, sizeof(pkt->key.dst));
		tuple->ipv6.sport = pkt->key.sport;
		tuple->ipv6.dport = pkt->key.dport;
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.saddr = addr_word(&pkt->key.src, 3);
	tuple->ipv4.daddr = addr_word(&pkt->key.dst, 3);
	tuple->ipv4.sport = pkt->key.sport;
	tuple->ipv4.dport = pkt->key.dport;
	return sizeof(tuple->ipv4);
}

/* Whether a socket of this machine is connected to the sender of this segment. */
static __noinline bool socket_is_connected(const struct pkt *pkt)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	bool connected;
	__u32 size;

	if (!pkt)
		return false;
	size = socket_tuple(pkt, &tuple);
	sk = bpf_skc_lookup_tcp(hook_skb(pkt), &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	connected = 1U << (sk->state & 31) & SOCKET_CONNECTED;
	bpf_sk_release(sk);
	return connected;
}

#endif
