/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet that an ICMP error quotes: whose it is, and where what a translation changes in it
 * lies. It may end behind eight bytes of its transport header (RFC 792).
 */
#ifndef BPF_LIB_QUOTE_H
#define BPF_LIB_QUOTE_H

#include "lib/icmp.h"
#include "lib/icmp_sum.h"

#define QUOTE_L4_LEAST 8

static __always_inline __u16 quote_start(const struct pkt *pkt)
{
	return pkt->l4 + ICMP_HEADER;
}

/* GO_ON: q->l3 is the header of a packet that has its transport header behind q->l4. */
static __always_inline int quote_read_v4(HOOK_CONTEXT *ctx, struct quote *q)
{
	struct iphdr ip;

	if (hook_load_from(ctx, q->l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return TP_R_icmp_unrelated;
	if (ip.frag_off & bpf_htons(IP_OFFSET)) /* its ports went with the first fragment */
		return TP_R_icmp_unrelated;

	addr_set_v4(&q->key.src, ip.saddr);
	addr_set_v4(&q->key.dst, ip.daddr);
	q->key.proto = ip.protocol;
	q->l4 = q->l3 + ip.ihl * 4;
	return GO_ON;
}

/* The header of a later fragment: what is behind it are no headers. */
static __always_inline bool quote_is_later(const struct ext_header *ext, __u8 proto)
{
	return proto == IPPROTO_FRAGMENT && (ext->fragment & bpf_htons(IPV6_OFFSET));
}

/* Walks on from q->l4, as parse_extensions does, where nothing is refused for its kind. */
static __always_inline int quote_walk(HOOK_CONTEXT *ctx, struct quote *q, __u32 end)
{
	struct ext_header ext;
	__u32 offset = q->l4;
	__u8 proto = q->key.proto;
	int i;

	for (i = 0; i < PARSE_EXT_MAX; i++) {
		if (!ext_is_known(proto))
			break;
		if (offset > end || hook_load_from(ctx, offset, &ext, sizeof(ext)) ||
		    quote_is_later(&ext, proto))
			return TP_R_icmp_unrelated;
		offset += ext_length(&ext, proto);
		proto = ext.next;
	}
	q->key.proto = proto;
	q->l4 = offset;
	return GO_ON;
}

static __always_inline int quote_read_v6(HOOK_CONTEXT *ctx, struct quote *q, __u32 end)
{
	struct ipv6hdr ip;

	if (hook_load_from(ctx, q->l3, &ip, sizeof(ip)) || ip.version != 6)
		return TP_R_icmp_unrelated;
	__builtin_memcpy(&q->key.src, &ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(&q->key.dst, &ip.daddr, sizeof(ip.daddr));
	q->key.proto = ip.nexthdr;
	q->l4 = q->l3 + sizeof(ip);
	return quote_walk(ctx, q, end);
}

static __always_inline bool quote_is_reply(const struct quote *q, __u8 type)
{
	return type == (q->v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY);
}

static __always_inline bool quote_is_echo(const struct quote *q, __u8 type)
{
	return type == (q->v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO) || quote_is_reply(q, type);
}

/* An error about an error is nobody's (RFC 1122 3.2.2): of ICMP only echoes have a flow. */
static __always_inline int quote_read_icmp(struct quote *q, const __be16 first[4])
{
	if (!quote_is_echo(q, *(const __u8 *)first))
		return TP_R_icmp_unrelated;
	q->key.sport = first[2];
	q->key.dport = first[2];
	q->key.answer = quote_is_reply(q, *(const __u8 *)first);
	q->sport = offsetof(struct icmp6hdr, icmp6_identifier);
	q->dport = q->sport;
	q->check = offsetof(struct icmp6hdr, icmp6_cksum);
	q->pseudo = q->v6;
	return GO_ON;
}

static __always_inline int quote_read_l4(HOOK_CONTEXT *ctx, struct quote *q, __u32 end)
{
	__be16 first[QUOTE_L4_LEAST / 2];

	if (q->l4 + sizeof(first) > end || hook_load_from(ctx, q->l4, first, sizeof(first)))
		return TP_R_icmp_unrelated;
	if (q->key.proto == (q->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return quote_read_icmp(q, first);
	if (q->key.proto != IPPROTO_UDP && q->key.proto != IPPROTO_TCP &&
	    q->key.proto != IPPROTO_SCTP)
		return GO_ON; /* no ports, never translated */

	q->key.sport = first[0];
	q->key.dport = first[1];
	if (q->key.proto == IPPROTO_SCTP)
		return GO_ON;
	q->dport = sizeof(first[0]);
	q->pseudo = true;
	if (q->key.proto == IPPROTO_UDP && first[3])
		q->check = offsetof(struct udphdr, check);
	if (q->key.proto == IPPROTO_TCP && q->l4 + offsetof(struct tcphdr, urg_ptr) <= end)
		q->check = offsetof(struct tcphdr, check);
	return GO_ON;
}

/*
 * Reads the quote from `at` to the end of the message. GO_ON, or TP_R_icmp_unrelated: nothing in
 * it names a flow. A global function: the verifier walks it once for the ways in and out.
 */
__noinline int quote_read(HOOK_CONTEXT *ctx, struct quote *q, __u32 at, __u32 end, bool v6)
{
	int r;

	if (!q)
		return TP_R_icmp_unrelated;
	__builtin_memset(q, 0, sizeof(*q));
	q->v6 = v6;
	q->l3 = at;
	r = v6 ? quote_read_v6(ctx, q, end) : quote_read_v4(ctx, q);
	return r == GO_ON ? quote_read_l4(ctx, q, end) : r;
}

/* The sum over the quoted IPv4 header, options and all (RFC 5508 REQ-3); IPv6 has none. */
static __always_inline bool quote_header_ok(const struct pkt *pkt, const struct quote *q)
{
	__u8 first = 0;

	if (q->v6)
		return true;
	if (hook_load(pkt, q->l3, &first, sizeof(first)))
		return false;
	return sum_bytes(pkt->ctx, q->l3, (first & 0xf) * 4) == 0xffff;
}

#endif
