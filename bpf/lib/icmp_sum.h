/* SPDX-License-Identifier: GPL-2.0-only */
/* The checksum over a whole ICMP message, which no difference can replace. */
#ifndef BPF_LIB_ICMP_SUM_H
#define BPF_LIB_ICMP_SUM_H

#include "lib/csum.h"
#include "lib/maps.h"
#include "lib/parse.h"

#define SUM_CHUNKS 18 /* 9216 bytes: whatever a LAN can bring */

/* The sum over `left` bytes of the packet, folded, or -1: it has not as many, or far too many. */
__noinline int sum_bytes(HOOK_CONTEXT *ctx, __u32 at, __u32 left)
{
	struct tp_scratch *s = scratch_find();
	__s64 sum = 0;
	int i;

	if (!s)
		return -1;
	for (i = 0; i < SUM_CHUNKS && left; i++) {
		__u32 length = sizeof(s->chunk);

		if (left < sizeof(s->chunk)) { /* the last one, padded with zeroes */
			length = left;
			__builtin_memset(s->chunk, 0, sizeof(s->chunk));
		}
		/* changes nothing, but tells the verifier of 6.1, which else sees a zero */
		barrier_var(length);
		if (hook_load_from(ctx, at, s->chunk, ((length - 1) & (sizeof(s->chunk) - 1)) + 1))
			return -1;
		sum = bpf_csum_diff(NULL, 0, s->chunk, sizeof(s->chunk), csum_fold(sum));
		at += length;
		left -= length;
	}
	return left ? -1 : csum_fold(sum);
}

/* The sum over a pseudo header. What marks an address as IPv4, 0xffff, is zero here. */
static __always_inline __u64 pseudo_sum(const struct tp_flow_key *key, __u8 proto, __u32 length)
{
	static const struct tp_addr none;

	return (__u64)csum_addr_difference(&none, &key->src) +
	       csum_addr_difference(&none, &key->dst) + bpf_htonl(length) + bpf_htonl(proto);
}

/* No flow may depend on a message that is damaged (RFC 5508 REQ-3). */
static __always_inline bool icmp_checksum_ok(const struct pkt *pkt)
{
	__u32 length = parse_l4_len(pkt);
	__u64 pseudo = pkt->v6 ? pseudo_sum(&pkt->key, IPPROTO_ICMPV6, length) : 0;
	int sum = sum_bytes(pkt->ctx, pkt->l4, length);

	return sum >= 0 && csum_fold((__u64)sum + pseudo) == 0xffff;
}

#endif
