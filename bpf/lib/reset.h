/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client of a service whose flow is gone, as with a backend that was removed, would send into the
 * void until it gives up: nobody else can go on with its connection. So it is told, as by a host
 * that knows of no connection (RFC 9293 3.10.7.1). Who opens one to a service without a backend is
 * refused that way too: an ICMP error may be held for another second, while the client is still in
 * its connect(). Only services are answered for: their addresses are ours, and who could answer
 * otherwise is a host.
 */
#ifndef BPF_LIB_RESET_H
#define BPF_LIB_RESET_H

#include <linux/tcp.h>

#include "lib/compose.h"
#include "lib/icmp_sum.h"

/*
 * Whether a RST can answer it: one begins where the segment's own TCP header does. If the sender
 * left the checksum to a device, the device goes by that place.
 */
static __always_inline bool reset_fits(const struct pkt *pkt)
{
	return pkt->key.proto == IPPROTO_TCP && !(pkt->tcp_flags & TCP_RST) && !pkt->fragment &&
	       pkt->l4 - pkt->l2_len == compose_ip_size(pkt);
}

/* All but the checksum. */
static __always_inline void reset_fill(const struct pkt *pkt, struct tcphdr *tcp)
{
	__u32 end = pkt->seq + !!(pkt->tcp_flags & TCP_SYN) + pkt->len - pkt->headers +
		    !!(pkt->tcp_flags & TCP_FIN);

	tcp->source = pkt->key.dport;
	tcp->dest = pkt->key.sport;
	tcp->doff = sizeof(*tcp) / 4;
	tcp->rst = 1;
	if (pkt->tcp_flags & TCP_ACK) {
		tcp->seq = bpf_htonl(pkt->ack);
	} else {
		tcp->ack = 1;
		tcp->ack_seq = bpf_htonl(end);
	}
}

/*
 * Whether a device is to finish the checksum cannot be seen, but the helper that changes one knows:
 * then it leaves alone what is not of the pseudo header. So the field is first what a device
 * expects, the pseudo header's sum, and the helper makes that a whole checksum where none will.
 */
static __always_inline long reset_put(const struct pkt *pkt, __u32 at)
{
	__u16 pseudo = csum_fold(pseudo_sum(&pkt->key, IPPROTO_TCP, sizeof(struct tcphdr)));
	struct tcphdr tcp = {};
	__u16 whole;
	__u32 sum;

	reset_fill(pkt, &tcp);
	sum = csum_fold((__u32)bpf_csum_diff(NULL, 0, (__be32 *)&tcp, sizeof(tcp), 0));
	whole = ~csum_fold((__u64)sum + pseudo);
	tcp.check = pseudo;
	if (hook_store_summed(pkt, at, &tcp, sizeof(tcp)) ||
	    hook_csum_finish(pkt, at + offsetof(struct tcphdr, check), sum + 2 * pseudo))
		return -1;
	hook_csum_whole(pkt, whole + (__u16)~pseudo);
	return 0;
}

/* Turns the segment into the RST for it. */
static __always_inline int reset_make(struct pkt *pkt)
{
	__u32 room = compose_ip_size(pkt);

	if (hook_turn_round(pkt, room + sizeof(struct tcphdr), 0) ||
	    compose_ip(pkt, IPPROTO_TCP, 0, sizeof(struct tcphdr)) ||
	    reset_put(pkt, pkt->l2_len + room))
		return TP_R_rewrite;
	return GO_ON;
}

#endif
