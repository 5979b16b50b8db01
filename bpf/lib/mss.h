/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maximum segment size of TCP (RFC 9293 3.7.1), lowered on SYN and SYN-ACK to what the tunnel
 * carries, in both directions: whoever hears the smaller value sends segments that fit. Never
 * raised, and a SYN without the option is left alone.
 */
#ifndef BPF_LIB_MSS_H
#define BPF_LIB_MSS_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "lib/pkt.h"

#define TCP_OPTION_END  0
#define TCP_OPTION_NOP  1
#define TCP_OPTION_MSS  2
#define TCP_OPTIONS_MAX 40

#define TCP_OFFSET_MASK 0x3f /* a TCP header has 60 bytes at most; tells the verifier */

/*
 * How far behind l4 the value of the MSS option is; 0 when there is none or the options are not
 * valid. end: length of the TCP header. A global function: the verifier walks the loop once. It is
 * called while parsing, where little is on the stack: Linux 6.1 counts 512 bytes over all frames.
 */
__noinline int mss_find(HOOK_CONTEXT *ctx, __u32 l4, __u32 end)
{
	__u32 offset = sizeof(struct tcphdr);
	__u8 option[2]; /* kind and length */
	int i;

	for (i = 0; i < TCP_OPTIONS_MAX && offset + sizeof(option) <= end; i++) {
		offset &= TCP_OFFSET_MASK;
		if (hook_load_from(ctx, l4 + offset, option, sizeof(option)))
			return 0;
		if (option[0] == TCP_OPTION_END)
			return 0;
		if (option[0] == TCP_OPTION_NOP) {
			offset++;
			continue;
		}
		if (option[1] < sizeof(option) || offset + option[1] > end)
			return 0;
		if (option[0] == TCP_OPTION_MSS)
			return option[1] == 4 ? offset + sizeof(option) : 0;
		offset += option[1];
	}
	return 0;
}

/*
 * For a packet with SYN; pkt->mss says where. mtu: of the tunnel toward the member at its end.
 */
static __always_inline int mss_clamp(struct pkt *pkt, __u32 mtu)
{
	__u32 headers =
		sizeof(struct tcphdr) + (pkt->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	__u32 at = pkt->l4 + pkt->mss;
	__be16 old, new;

	if (!pkt->mss || mtu <= headers || hook_load(pkt, at, &old, sizeof(old)))
		return GO_ON;
	if (bpf_ntohs(old) <= mtu - headers)
		return GO_ON;

	new = bpf_htons(mtu - headers);
	if (hook_store(pkt, at, &new, sizeof(new)))
		return TP_R_rewrite;
	/* at an odd distance from the header the sum sees the two bytes the other way round */
	if (pkt->mss & 1) {
		old = __builtin_bswap16(old);
		new = __builtin_bswap16(new);
	}
	if (hook_csum_port(pkt, pkt->l4 + offsetof(struct tcphdr, check), old, new, 0))
		return TP_R_rewrite;
	return GO_ON;
}

#endif
