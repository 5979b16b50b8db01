/* SPDX-License-Identifier: GPL-2.0-only */
/* The IP header of a packet of our own making: an answer, to whom the one at hand is from. */
#ifndef BPF_LIB_COMPOSE_H
#define BPF_LIB_COMPOSE_H

#include "lib/parse.h"

#define COMPOSE_TTL 64

static __always_inline __u32 compose_ip_size(const struct pkt *pkt)
{
	return pkt->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline long compose_ipv4(const struct pkt *pkt, __u8 proto, __u8 tos, __u32 length)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tos = tos,
		.tot_len = bpf_htons(sizeof(ip) + length),
		.frag_off = bpf_htons(IP_DF), /* then the identification may be 0 (RFC 6864) */
		.ttl = COMPOSE_TTL,
		.protocol = proto,
		.saddr = addr_word(&pkt->key.dst, 3),
		.daddr = addr_word(&pkt->key.src, 3),
	};

	ip.check = ~csum_fold((__u32)bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0));
	return hook_store_summed(pkt, pkt->l2_len, &ip, sizeof(ip));
}

static __always_inline long compose_ipv6(const struct pkt *pkt, __u8 proto, __u8 tos, __u32 length)
{
	struct ipv6hdr ip = {
		.version = 6,
		.priority = tos >> 4,
		.payload_len = bpf_htons(length),
		.nexthdr = proto,
		.hop_limit = COMPOSE_TTL,
	};

	__builtin_memcpy(&ip.saddr, &pkt->key.dst, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, &pkt->key.src, sizeof(ip.daddr));
	return hook_store_summed(pkt, pkt->l2_len, &ip, sizeof(ip));
}

/* From key.dst to key.src, in front of `length` bytes of that protocol. */
static __always_inline long compose_ip(const struct pkt *pkt, __u8 proto, __u8 tos, __u32 length)
{
	return pkt->v6 ? compose_ipv6(pkt, proto, tos, length)
		       : compose_ipv4(pkt, proto, tos, length);
}

#endif
