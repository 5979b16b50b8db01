/* SPDX-License-Identifier: GPL-2.0-only */
/* The one place that writes packet bytes. */
#ifndef BPF_LIB_REWRITE_H
#define BPF_LIB_REWRITE_H

#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "lib/csum.h"
#include "lib/parse.h"
#include "lib/pkt.h"

/* Where the checksum and the two ports of a transport header are. */
struct l4_layout {
	__u16 check;
	__u16 sport;
	__u16 dport;
	__u64 flags;    /* for the checksum helpers */
	bool addresses; /* the checksum covers a pseudo header */
};

static __always_inline struct l4_layout l4_layout(const struct pkt *pkt)
{
	struct l4_layout l4 = {};

	if (pkt->key.proto == IPPROTO_TCP) {
		l4.check = offsetof(struct tcphdr, check);
		l4.dport = offsetof(struct tcphdr, dest);
		l4.addresses = true;
	} else if (pkt->key.proto == IPPROTO_UDP) {
		l4.check = offsetof(struct udphdr, check);
		l4.dport = offsetof(struct udphdr, dest);
		l4.flags = HOOK_CSUM_UDP;
		l4.addresses = true;
	} else { /* echo: one identifier, ICMPv6 alone has a pseudo header (RFC 4443 2.3) */
		l4.check = offsetof(struct icmp6hdr, icmp6_cksum);
		l4.sport = offsetof(struct icmp6hdr, icmp6_identifier);
		l4.dport = l4.sport;
		l4.addresses = pkt->v6;
	}
	return l4;
}

static __always_inline int rewrite_l4_checksum(struct pkt *pkt, const struct tp_flow *to,
					       const struct l4_layout *l4, __u32 difference)
{
	__u32 check = pkt->l4 + l4->check;

	if (l4->addresses && hook_csum_addr(pkt, check, difference, l4->flags))
		return TP_R_rewrite;
	if (to->sport != pkt->key.sport &&
	    hook_csum_port(pkt, check, pkt->key.sport, to->sport, l4->flags))
		return TP_R_rewrite;
	if (l4->sport != l4->dport && to->dport != pkt->key.dport &&
	    hook_csum_port(pkt, check, pkt->key.dport, to->dport, l4->flags))
		return TP_R_rewrite;
	return GO_ON;
}

static __always_inline int rewrite_ports(struct pkt *pkt, const struct tp_flow *to,
					 const struct l4_layout *l4)
{
	__u8 *header = hook_ptr(pkt, pkt->l4, sizeof(struct udphdr));

	if (!header)
		return TP_R_rewrite;
	*(__be16 *)(header + l4->sport) = to->sport;
	*(__be16 *)(header + l4->dport) = to->dport;
	return GO_ON;
}

static __always_inline int rewrite_addresses(struct pkt *pkt, const struct tp_flow *to,
					     __u32 difference)
{
	if (pkt->v6) {
		struct ipv6hdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));

		if (!ip)
			return TP_R_rewrite;
		__builtin_memcpy(&ip->saddr, &to->src, sizeof(to->src));
		__builtin_memcpy(&ip->daddr, &to->dst, sizeof(to->dst));
	} else {
		struct iphdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));

		if (!ip)
			return TP_R_rewrite;
		ip->saddr = addr_word(&to->src, 3);
		ip->daddr = addr_word(&to->dst, 3);
		ip->check = csum_apply(ip->check, difference);
	}
	return GO_ON;
}

/*
 * The sum over the whole packet changes with its addresses. IPv4's header checksum makes up for
 * that, and a transport checksum once more, which hook_csum_addr allows for. In IPv6 nothing does
 * in a later fragment; in any other packet the transport checksum does, but hook_csum_addr takes
 * the change out as it must for IPv4.
 */
static __always_inline void rewrite_sum(struct pkt *pkt, __u32 difference)
{
	if (pkt->v6)
		hook_csum_whole(pkt, difference);
}

/*
 * Puts a flow's addresses and ports in place, all checksums with them. What AH covers (RFC 4302
 * 3.3.3.1) cannot be translated, though it has the ports of a flow that is: its receiver would drop
 * it, and nobody would know why.
 */
static __always_inline int rewrite_tuple(struct pkt *pkt, const struct tp_flow *to)
{
	struct l4_layout l4 = l4_layout(pkt);
	__u32 difference = csum_addr_difference(&pkt->key.src, &to->src);
	__u64 both = (__u64)difference + csum_addr_difference(&pkt->key.dst, &to->dst);
	int r;

	if (pkt->authenticated)
		return TP_R_nat_proto;
	difference = (__u32)((both & 0xffffffff) + (both >> 32));
	rewrite_sum(pkt, difference);
	if (!pkt->frag_offset && proto_has_ports(pkt)) {
		r = rewrite_l4_checksum(pkt, to, &l4, difference);
		if (r == GO_ON)
			r = rewrite_ports(pkt, to, &l4);
		if (r != GO_ON)
			return r;
	}
	return rewrite_addresses(pkt, to, difference);
}

/* TTL or hop limit goes down by one; the caller made sure that it is above one. */
static __always_inline int rewrite_ttl(struct pkt *pkt)
{
	if (pkt->v6) {
		struct ipv6hdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));

		if (!ip)
			return TP_R_rewrite;
		ip->hop_limit--;
		hook_csum_whole(pkt, (__u16)~bpf_htons(1)); /* the low byte of its word */
	} else {
		struct iphdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));

		if (!ip)
			return TP_R_rewrite;
		ip->ttl--;
		/* the TTL is the high byte of its word: 0x0100 less */
		ip->check = csum_apply(ip->check, (__u16)~bpf_htons(0x0100));
	}
	return GO_ON;
}

#endif
