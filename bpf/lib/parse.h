/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the headers of a packet, once, into struct pkt; no pointer survives. Others read what is
 * not of that: quote.h the packet that an error quotes, mss.h the options of TCP, guard.h and
 * learn.h WireGuard's messages, and foreign.h the little that it wants of packets which are
 * nobody's here. Ports are taken only from where they really are: never from an option, an
 * extension header or a later fragment.
 */
#ifndef BPF_LIB_PARSE_H
#define BPF_LIB_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "lib/csum.h"
#include "lib/parse_l4.h"
#include "lib/scope.h"

#define PARSE_EXT_MAX  8   /* IPv6 extension headers; more is refused */
#define PARSE_L4_MAX   512 /* a transport header further back is refused */
#define IP_OPTIONS_MAX 40
#define IP_DF          0x4000
#define IP_MORE        0x2000 /* MF */
#define IP_OFFSET      0x1fff /* in units of eight bytes, as IPv6's */
#define IPV6_MORE      0x0001
#define IPV6_OFFSET    0xfff8
#define FRAGMENT_FIRST 16 /* bytes of payload in the shortest first fragment */

/* The header sums up to 0xffff (RFC 791); routers must check that (RFC 1812 5.2.2). */
static __always_inline bool ipv4_checksum_ok(const struct iphdr *ip, __u32 options_sum)
{
	const __u16 *half = (const void *)ip;
	__u32 sum = options_sum;
	int i;

#pragma unroll
	for (i = 0; i < 10; i++)
		sum += half[i];
	return csum_fold(sum) == 0xffff;
}

/*
 * The sum over the options behind the header; any if they cannot be read. A global function, for
 * the loop and as nearly no packet has options.
 */
__noinline int ipv4_options_sum(HOOK_CONTEXT *ctx, __u32 at, __u32 length)
{
	__u16 half[2];
	__u32 sum = 0, i;

	for (i = 0; i < IP_OPTIONS_MAX && i < length; i += sizeof(half)) {
		if (hook_load_from(ctx, at + i, half, sizeof(half)))
			return 0;
		sum += half[0] + half[1];
	}
	return sum;
}

/*
 * One of several fragments, its payload of `length` bytes being put at `offset`. No fragment begins
 * or ends in the first 16 bytes (RFC 1858 3.2, RFC 3128: that splits or overwrites what filters
 * look at; a link with the least MTU of RFC 791 could make one of a header full of options). All
 * but the last are multiples of eight bytes, and none passes the end of the longest packet.
 */
static __always_inline int parse_fragment(struct pkt *pkt, __u32 offset, bool more, __u32 length)
{
	__u32 end = offset + length;

	if (!offset && !more)
		return GO_ON;
	if (!length || (more && length % 8) || end > 0xffff || end < FRAGMENT_FIRST)
		return TP_R_malformed;
	if (offset && offset < FRAGMENT_FIRST)
		return TP_R_malformed;

	pkt->fragment = true;
	pkt->frag_offset = offset;
	pkt->frag_end = end;
	pkt->frag_way = pkt->key.side | (pkt->out ? TP_FRAG_OUT : 0);
	return GO_ON;
}

static __always_inline int parse_ipv4(struct pkt *pkt)
{
	struct iphdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));
	__u32 ihl, field, options_sum = 0;

	if (!ip)
		return TP_R_malformed;

	if (ip->version != 4)
		return TP_R_malformed; /* there are no addresses in it */
	ihl = ip->ihl * 4;
	pkt->v6 = false;
	pkt->ttl = ip->ttl;
	pkt->len = bpf_ntohs(ip->tot_len);
	pkt->key.proto = ip->protocol;
	addr_set_v4(&pkt->key.src, ip->saddr);
	addr_set_v4(&pkt->key.dst, ip->daddr);
	pkt->has_addrs = true;

	/* a GSO packet above 64 KiB has tot_len 0 (BIG TCP) */
	if (!pkt->len && hook_is_gso(pkt))
		pkt->len = hook_ip_len(pkt);
	if (ihl < sizeof(*ip) || pkt->len < ihl || pkt->len > hook_ip_len(pkt))
		return TP_R_malformed;
	pkt->options = ihl > sizeof(*ip);
	if (pkt->options)
		options_sum =
			ipv4_options_sum(pkt->ctx, pkt->l2_len + sizeof(*ip), ihl - sizeof(*ip));
	if (!ipv4_checksum_ok(ip, options_sum))
		return TP_R_malformed;

	pkt->l4 = pkt->l2_len + ihl;
	pkt->frag_id = ip->id;
	field = bpf_ntohs(ip->frag_off);
	pkt->whole = field & IP_DF;
	return parse_fragment(pkt, (field & IP_OFFSET) * 8, field & IP_MORE, pkt->len - ihl);
}

/* What each extension header begins with; for the fragment header the identification follows. */
struct ext_header {
	__u8 next;
	__u8 length;
	union {
		__u8 type; /* routing type */
		__be16 fragment;
	};
};

static __always_inline bool ext_is_known(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_AH || proto == IPPROTO_DSTOPTS;
}

static __always_inline __u32 ext_length(const struct ext_header *ext, __u8 proto)
{
	if (proto == IPPROTO_FRAGMENT)
		return sizeof(*ext) + sizeof(__be32);
	return proto == IPPROTO_AH ? (ext->length + 2) * 4 : (ext->length + 1) * 8;
}

/* offset: of the fragment header. */
static __always_inline int parse_fragment_header(struct pkt *pkt, __u32 offset, __u32 field)
{
	__u32 end = pkt->l2_len + pkt->len;

	offset += sizeof(struct ext_header);
	if (hook_load(pkt, offset, &pkt->frag_id, sizeof(pkt->frag_id)))
		return TP_R_malformed;
	offset += sizeof(pkt->frag_id);
	if (offset > end)
		return TP_R_malformed;
	return parse_fragment(pkt, field & IPV6_OFFSET, field & IPV6_MORE, end - offset);
}

/*
 * Walks to the transport header: pkt->l4 and key.proto. Behind the header of a later fragment is
 * the middle of something: what looks like headers there is none.
 */
static __always_inline int parse_extensions(struct pkt *pkt)
{
	__u32 offset = pkt->l4;
	struct ext_header ext;
	bool fragment = false;
	int i;

	for (i = 0; i < PARSE_EXT_MAX && !pkt->frag_offset; i++) {
		__u8 proto = pkt->key.proto;

		if (!ext_is_known(proto))
			break;
		if (offset > PARSE_L4_MAX || hook_load(pkt, offset, &ext, sizeof(ext)))
			return TP_R_malformed;
		if (proto == IPPROTO_ROUTING && ext.type == 0) /* RFC 5095 */
			return TP_R_malformed;

		if (proto == IPPROTO_FRAGMENT) {
			if (fragment ||
			    parse_fragment_header(pkt, offset, bpf_ntohs(ext.fragment)) != GO_ON)
				return TP_R_malformed;
			fragment = true;
		} else if (proto == IPPROTO_AH) {
			pkt->authenticated = true;
		}
		offset += ext_length(&ext, proto);
		pkt->key.proto = ext.next;
	}
	if (i == PARSE_EXT_MAX || offset > PARSE_L4_MAX)
		return TP_R_malformed;
	/* the frame may go on behind the packet, with padding that anybody can choose */
	if (offset > pkt->l2_len + pkt->len)
		return TP_R_malformed;

	pkt->l4 = offset;
	return GO_ON;
}

static __always_inline int parse_ipv6(struct pkt *pkt)
{
	struct ipv6hdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));
	__u32 payload;

	if (!ip)
		return TP_R_malformed;

	if (ip->version != 6)
		return TP_R_malformed;
	payload = bpf_ntohs(ip->payload_len);
	pkt->v6 = true;
	pkt->whole = true;
	pkt->ttl = ip->hop_limit;
	pkt->key.proto = ip->nexthdr;
	__builtin_memcpy(&pkt->key.src, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(&pkt->key.dst, &ip->daddr, sizeof(ip->daddr));
	pkt->has_addrs = true;
	pkt->len = sizeof(*ip) + payload;
	if (!payload && hook_is_gso(pkt)) /* BIG TCP */
		pkt->len = hook_ip_len(pkt);
	if (pkt->len > hook_ip_len(pkt))
		return TP_R_malformed;

	pkt->l4 = pkt->l2_len + sizeof(*ip);
	return parse_extensions(pkt);
}

/* By its frame: no stack takes another version. WireGuard and tun go by the first four bits. */
static __always_inline __be16 parse_ether_type(const struct pkt *pkt)
{
	const __u8 *first;

	if (pkt->l2_len == L2_ETHERNET)
		return hook_ether_type(pkt);
	first = hook_ptr(pkt, pkt->l2_len, 1);
	if (first && *first >> 4 == 4)
		return bpf_htons(ETH_P_IP);
	return first && *first >> 4 == 6 ? bpf_htons(ETH_P_IPV6) : 0;
}

static __always_inline int parse_l3(struct pkt *pkt)
{
	__be16 ether_type = parse_ether_type(pkt);

	if (ether_type == bpf_htons(ETH_P_IP))
		return parse_ipv4(pkt);
	return ether_type == bpf_htons(ETH_P_IPV6) ? parse_ipv6(pkt) : TP_R_malformed;
}

static __always_inline int parse(struct pkt *pkt)
{
	int r = parse_l3(pkt);

	return r == GO_ON ? parse_l4(pkt) : r;
}

#endif
