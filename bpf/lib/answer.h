/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors that the stack cannot send: about a packet that was to be destination-translated. With
 * its translation undone the stack would quote what the sender never sent, and without it the
 * packet is for this machine. So we answer: the packet as it came is quoted, from the address that
 * it was sent to, which is ours. And errors that the stack might not send, about a packet from one
 * LAN to another (forward.h, we_answer): these come from the router. Reached for unicast packets of
 * live flows, and for what would open a hairpin or a flow to a service: no ICMP error is among
 * them, and of fragments only the first is answered (RFC 1812 4.3.2.7). The RST for a client of a
 * service whose connection is gone, or finds no backend (reset.h), is sent from here too, and
 * limited with the errors.
 */
#ifndef BPF_LIB_ANSWER_H
#define BPF_LIB_ANSWER_H

#include "lib/compose.h"
#include "lib/icmp.h"
#include "lib/icmp_sum.h"
#include "lib/parse_slow.h"
#include "lib/reset.h"
#include "lib/route.h"

#define ANSWER_TOS  0xc0 /* internetwork control (RFC 1812 4.3.2.5) */
#define ANSWER4_MAX 576  /* RFC 1812 4.3.2.3 */
#define ANSWER6_MAX 1280 /* RFC 4443 2.4 (c) */

/*
 * RFC 1812 4.3.2.8 and RFC 4443 2.4 (f) ask for a limit. The numbers are those that Linux has for
 * its own (net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst), here for each CPU.
 */
#define ANSWER_RATE  1000 /* a second */
#define ANSWER_BURST 50

/* codes of ICMP_DEST_UNREACH, and of ICMPV6_DEST_UNREACH */
#define ICMP_NO_PORT     3
#define ICMP_FRAG_NEEDED 4
#define ICMPV6_NO_PORT   4

static __always_inline bool answer_is_due(const struct pkt *pkt)
{
	struct tp_bucket *bucket;
	__u64 tokens;
	__u32 zero = 0;

	bucket = bpf_map_lookup_elem(&tp_answer_rate, &zero);
	if (!bucket)
		return false;
	if (pkt->now > bucket->filled) {
		tokens = bucket->tokens +
			 (pkt->now - bucket->filled) * ANSWER_RATE / pkt->limits->second;
		bucket->tokens = tokens < ANSWER_BURST ? tokens : ANSWER_BURST;
		bucket->filled = pkt->now;
	}
	if (!bucket->tokens)
		return false;
	bucket->tokens--;
	return true;
}

/*
 * A packet whose sender left its checksum to the device (CHECKSUM_PARTIAL) has the pseudo header's
 * sum in that field, and a device still fills it in, over all that is there by then: inside of our
 * quote, behind the back of our checksum. In such a quote the field gets the one value that filling
 * it in gives again: ~(rest + value) == value. What the sender's device would have put there is
 * beyond reach, and receivers do not look at it (RFC 5508 REQ-3). A whole packet that happens to
 * have that value, one in 65536, is quoted with a wrong checksum, in an error that is right.
 */
static __always_inline int answer_settle_quote(struct pkt *pkt, __u32 l4, __u32 end)
{
	__u32 at = l4, pseudo = csum_fold(pseudo_sum(&pkt->key, pkt->key.proto, parse_l4_len(pkt)));
	__be16 check = 0;
	__u32 value;
	int sum;

	if (pkt->key.proto == IPPROTO_TCP)
		at += offsetof(struct tcphdr, check);
	else if (pkt->key.proto == IPPROTO_UDP)
		at += offsetof(struct udphdr, check);
	else
		return GO_ON; /* nobody leaves that of an echo to a device */
	if (hook_load(pkt, at, &check, sizeof(check)))
		return TP_R_rewrite;
	if (check != pseudo)
		return GO_ON;

	sum = sum_bytes(pkt->ctx, l4, end - l4);
	if (sum < 0)
		return TP_R_rewrite;
	value = (__u16)~csum_fold((__u64)sum + (__u16)~check);
	check = (value + (value & 1) * 0xffff) / 2;
	return hook_store_summed(pkt, at, &check, sizeof(check)) ? TP_R_rewrite : GO_ON;
}

/* mtu: of struct tp_scratch */
static __always_inline void answer_set_kind(const struct pkt *pkt, struct icmp6hdr *icmp, __u32 mtu)
{
	if (!mtu) {
		icmp->icmp6_type = pkt->v6 ? ICMPV6_TIME_EXCEED : ICMP_TIME_EXCEEDED;
	} else if (mtu == ANSWER_NO_PORT) {
		icmp->icmp6_type = pkt->v6 ? ICMPV6_DEST_UNREACH : ICMP_DEST_UNREACH;
		icmp->icmp6_code = pkt->v6 ? ICMPV6_NO_PORT : ICMP_NO_PORT;
	} else {
		icmp->icmp6_type = pkt->v6 ? ICMPV6_PKT_TOOBIG : ICMP_DEST_UNREACH;
		icmp->icmp6_code = pkt->v6 ? 0 : ICMP_FRAG_NEEDED;
		icmp->icmp6_mtu = bpf_htonl(mtu); /* ICMP has it in the lower half (RFC 1191 4) */
	}
}

/* The message at `at`, in front of its quote. */
static __always_inline int answer_put_icmp(struct pkt *pkt, __u32 at, __u32 length, __u32 mtu)
{
	struct icmp6hdr icmp = {};
	__u64 pseudo = 0;
	int sum;

	answer_set_kind(pkt, &icmp, mtu);
	if (pkt->v6)
		pseudo = pseudo_sum(&pkt->key, IPPROTO_ICMPV6, length);
	if (hook_store_summed(pkt, at, &icmp, sizeof(icmp)))
		return TP_R_rewrite;
	sum = sum_bytes(pkt->ctx, at, length);
	if (sum < 0)
		return TP_R_rewrite;
	icmp.icmp6_cksum = ~csum_fold((__u64)sum + pseudo);
	return hook_store_summed(pkt, at, &icmp, sizeof(icmp)) ? TP_R_rewrite : GO_ON;
}

static __always_inline bool answer_take(const struct pkt *pkt, struct tp_scratch *s, __u32 ifindex)
{
	const struct tp_device *device = device_find(ifindex, TP_DEV_LAN);

	if (!device)
		return false;
	s->answer_from = pkt->v6 ? device->addr6 : device->addr4;
	return !addr_is_none(&s->answer_from);
}

/*
 * Whom the error is from: what was addressed, if that is ours, or else this router by the side that
 * the sender is on (RFC 1812 4.3.2.4). A device that has no address there has one on the other.
 */
static __always_inline bool answer_find_source(const struct pkt *pkt, struct tp_scratch *s,
					       __u32 ingress)
{
	s->answer_from = pkt->key.dst;
	return !s->answer_out || answer_take(pkt, s, ingress) || answer_take(pkt, s, s->answer_out);
}

/* Turns the packet into the error about itself. */
static __always_inline int answer_make(struct pkt *pkt, const struct tp_addr *from, __u32 mtu)
{
	__u32 room = (pkt->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + ICMP_HEADER;
	__u32 most = (pkt->v6 ? ANSWER6_MAX : ANSWER4_MAX) - room;
	__u32 quoted = pkt->len < most ? pkt->len : most;
	__u32 at = pkt->l2_len + room - ICMP_HEADER;
	int r;

	if (hook_turn_round(pkt, quoted, room))
		return TP_R_rewrite;
	r = answer_settle_quote(pkt, pkt->l4 + room, pkt->l2_len + room + quoted);
	if (r != GO_ON)
		return r;
	pkt->key.dst = *from;
	if (compose_ip(pkt, pkt->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, ANSWER_TOS,
		       ICMP_HEADER + quoted))
		return TP_R_rewrite;
	return answer_put_icmp(pkt, at, ICMP_HEADER + quoted, mtu);
}

static __always_inline int answered_reason(const struct tp_scratch *s)
{
	switch (s->answer_mtu) {
	case ANSWER_NO_PORT:
	case ANSWER_REFUSED: return TP_R_no_backend;
	case ANSWER_RESET: return TP_R_reset;
	default: return TP_R_answered;
	}
}

/* From the untouched packet. What to say of it has been left in the scratch by answered_by. */
static __always_inline int answer(struct pkt *pkt, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	int r;

	if (!s)
		return TP_R_internal;
	if (parse_slow(pkt) != GO_ON || pkt->frag_offset || !hook_has_unicast_sender(pkt) ||
	    !answer_find_source(pkt, s, ingress))
		return TP_R_unanswered;
	if (!answer_is_due(pkt))
		return TP_R_answer_limit;
	if (s->answer_mtu == ANSWER_RESET || s->answer_mtu == ANSWER_REFUSED)
		r = reset_make(pkt);
	else
		r = answer_make(pkt, &s->answer_from, s->answer_mtu);
	if (r != GO_ON)
		return r;
	return hook_redirect(pkt, ingress) == HOOK_REDIRECT ? answered_reason(s) : TP_R_rewrite;
}

#endif
