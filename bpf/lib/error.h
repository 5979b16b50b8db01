/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors about our flows (RFC 5508 REQ-3 to REQ-6, RFC 4443 2.4): found by the packet that
 * they quote, translated outside and inside, sent the way of the flow. They neither open, refresh
 * nor end one, and are not counted as its packets. An error about nothing that we know is
 * somebody's invention, or the stack's business.
 */
#ifndef BPF_LIB_ERROR_H
#define BPF_LIB_ERROR_H

#include "lib/forward.h"
#include "lib/hand_over.h"
#include "lib/known.h"
#include "lib/quote.h"

/* Reads the quote into the scratch; false: it names no flow. */
static __always_inline bool error_read(struct pkt *pkt, struct tp_scratch *s)
{
	return quote_read(pkt->ctx, &s->quote, quote_start(pkt), pkt->l2_len + pkt->len, pkt->v6) ==
	       GO_ON;
}

/* ---- translation --------------------------------------------------------------------------- */

/* Puts two bytes in place; *change: what that adds to a sum over them. */
static __always_inline long quote_put(struct pkt *pkt, __u32 at, __be16 value, __u64 *change)
{
	__be16 old;

	if (hook_load(pkt, at, &old, sizeof(old)) || hook_store(pkt, at, &value, sizeof(value)))
		return -1;
	*change += (__u64)(__u16)~old + value;
	return 0;
}

/* A checksum inside the quote, brought in line with a change of what it covers. */
static __always_inline long quote_put_check(struct pkt *pkt, __u32 at, __u64 covered, bool udp,
					    __u64 *change)
{
	__be16 check;

	if (hook_load(pkt, at, &check, sizeof(check)))
		return -1;
	check = csum_apply(check, covered);
	if (udp && !check)
		check = 0xffff; /* 0 would mean "none" */
	return quote_put(pkt, at, check, change);
}

static __always_inline long quote_put_addrs(struct pkt *pkt, const struct quote *q,
					    const struct tp_flow *to, __u64 *change)
{
	__be32 src = addr_word(&to->dst, 3), dst = addr_word(&to->src, 3);
	__u64 addrs = (__u64)csum_addr_difference(&q->key.src, &to->dst) +
		      csum_addr_difference(&q->key.dst, &to->src);

	*change += addrs;
	if (pkt->v6)
		return hook_store(pkt, q->l3 + offsetof(struct ipv6hdr, saddr), &to->dst, 16) ||
		       hook_store(pkt, q->l3 + offsetof(struct ipv6hdr, daddr), &to->src, 16);
	return hook_store(pkt, q->l3 + offsetof(struct iphdr, saddr), &src, sizeof(src)) ||
	       hook_store(pkt, q->l3 + offsetof(struct iphdr, daddr), &dst, sizeof(dst)) ||
	       quote_put_check(pkt, q->l3 + offsetof(struct iphdr, check), addrs, false, change);
}

static __always_inline long quote_put_ports(struct pkt *pkt, const struct quote *q,
					    const struct tp_flow *to, __u64 *change)
{
	if (!q->dport)
		return 0;
	if (quote_put(pkt, q->l4 + q->sport, to->dport, change))
		return -1;
	return q->sport == q->dport ? 0 : quote_put(pkt, q->l4 + q->dport, to->sport, change);
}

/* The quoted packet as its sender sent it; *change: what that adds to the sum over the error. */
static __always_inline int quote_translate(struct pkt *pkt, const struct quote *q,
					   const struct tp_flow *to, __u64 *change)
{
	__u64 addrs = 0, ports = 0;

	if (quote_put_addrs(pkt, q, to, &addrs) || quote_put_ports(pkt, q, to, &ports))
		return TP_R_rewrite;
	*change = addrs + ports;
	if (!q->check)
		return GO_ON;
	/* a header checksum has taken the change of IPv4 addresses out again */
	addrs = (__u64)csum_addr_difference(&q->key.src, &to->dst) +
		csum_addr_difference(&q->key.dst, &to->src);
	if (quote_put_check(pkt, q->l4 + q->check, q->pseudo ? addrs + ports : ports,
			    q->key.proto == IPPROTO_UDP, change))
		return TP_R_rewrite;
	return GO_ON;
}

/* The translated end of the flow gets its other name, a router in between keeps its own. */
static __always_inline void error_ends(const struct pkt *pkt, struct tp_flow *way)
{
	if (!(way->flags & TP_FLOW_SRC_NAT))
		way->src = pkt->key.src;
	if (!(way->flags & TP_FLOW_DST_NAT))
		way->dst = pkt->key.dst;
	way->flags &= ~(TP_FLOW_SRC_NAT | TP_FLOW_DST_NAT);
}

/*
 * Quote, ends and checksums. Each byte that changes is covered by a checksum that changes against
 * it, so the sum over the whole packet, which a skb with CHECKSUM_COMPLETE carries, stays right.
 */
static __always_inline int error_translate(struct pkt *pkt, const struct quote *q,
					   struct tp_flow *way)
{
	__u64 change = 0, outer;
	struct icmp6hdr *icmp;
	int r = quote_translate(pkt, q, way, &change);

	if (r != GO_ON)
		return r;
	error_ends(pkt, way);
	outer = (__u64)csum_addr_difference(&pkt->key.src, &way->src) +
		csum_addr_difference(&pkt->key.dst, &way->dst);
	icmp = hook_ptr(pkt, pkt->l4, sizeof(*icmp));
	if (!icmp)
		return TP_R_rewrite;
	icmp->icmp6_cksum = csum_apply(icmp->icmp6_cksum, pkt->v6 ? change + outer : change);
	return rewrite_addresses(pkt, way, (__u32)((outer & 0xffffffff) + (outer >> 32)));
}

/* ---- the way ------------------------------------------------------------------------------- */

/*
 * *way: a copy of the flow, so that even the next hop which is looked up here stays out of the
 * table. It is that toward the sender of what is quoted, by the name that he has there: the error
 * is addressed to the one that he has here, which may be our own. It is asked for before anything
 * is translated: what has no way goes to the stack as it came.
 */
static __always_inline int error_send(struct pkt *pkt, struct tp_scratch *s, __u32 ingress)
{
	struct tp_flow *way = &s->forward;
	bool translated = way->flags & (TP_FLOW_SRC_NAT | TP_FLOW_DST_NAT);
	/* the flow's own packets have the kernel asked whether the tunnel is still its way */
	bool fresh = (way->flags & TP_FLOW_L3_OUT) || next_hop_is_fresh(pkt, way);
	int r = GO_ON;

	if (!fresh) {
		long answer = route_next_hop(pkt, &pkt->key.src, &way->dst, ingress, &s->fib);

		r = next_hop_set(pkt, way, &s->fib, answer);
	}
	if (r == TP_R_too_big)
		return TP_R_unanswered;
	if (r == GO_ON && translated)
		r = error_translate(pkt, &s->quote, way);
	if (r != GO_ON)
		return r;
	return fresh ? send_direct(pkt, way) : send_neigh(pkt, way, &s->fib);
}

/* About what this machine sent; as a service's it went out by another name. */
static __always_inline int error_deliver(struct pkt *pkt, const struct tp_flow *flow,
					 struct tp_scratch *s)
{
	int r;

	if (!(flow->flags & TP_FLOW_DST_NAT))
		return TP_R_deliver;
	if (pkt->options)
		return TP_R_nat_options;
	s->forward = *flow;
	r = error_translate(pkt, &s->quote, &s->forward);
	return r == GO_ON ? TP_R_deliver : r;
}

/* About what a load balancer of this machine answered; as a service's it went out by its name. */
static __always_inline int error_hand_over(struct pkt *pkt, const struct tp_flow *flow,
					   struct tp_scratch *s)
{
	int r;

	if (!(flow->flags & TP_FLOW_DST_NAT))
		return hand_over(pkt, flow);
	if (pkt->options)
		return TP_R_nat_options;
	s->forward = *flow;
	r = error_translate(pkt, &s->quote, &s->forward);
	return r == GO_ON ? hand_over(pkt, &s->forward) : r;
}

/* What the stack would have to answer or split has no answer: no error is about an error. */
static __noinline int error_forward(struct pkt *pkt, const struct tp_flow *flow,
				    struct tp_scratch *s, __u32 ingress)
{
	if (!flow || !s)
		return TP_R_internal;
	if (!icmp_checksum_ok(pkt) || !quote_header_ok(pkt, &s->quote) || !pkt->ttl)
		return TP_R_malformed;
	if (flow->flags & TP_FLOW_LOCAL)
		return error_deliver(pkt, flow, s);
	if (flow->flags & TP_FLOW_HANDED)
		return error_hand_over(pkt, flow, s);
	if (pkt->options)
		return flow->flags & (TP_FLOW_SRC_NAT | TP_FLOW_DST_NAT) ? TP_R_nat_options
									 : TP_R_ip_options;
	if (pkt->ttl <= 1 || is_too_big(pkt, flow->mtu))
		return TP_R_unanswered;
	s->forward = *flow;
	return error_send(pkt, s, ingress);
}

/*
 * The flow's direction in which the error goes: that of the answers to what it quotes. An error
 * that is not addressed to the quoted packet's sender would be carried where no grant allows.
 */
static __always_inline struct tp_flow *error_flow(const struct pkt *pkt, struct tp_scratch *s,
						  struct tp_flow_state **state)
{
	struct tp_flow_key *key = &s->reply_key; /* not on the stack, which judge_again needs */

	if (!addr_same(&pkt->key.dst, &s->quote.key.src))
		return NULL;
	flow_key_reverse(key, &s->quote.key, pkt->key.side);
	return flow_find(key, state);
}

/* GO_ON: about no flow that we know. */
static __always_inline int error_about_flow(struct pkt *pkt, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	if (!s || !error_read(pkt, s))
		return GO_ON;
	flow = error_flow(pkt, s, &state);
	if (!flow || !state || flow_is_expired(pkt->limits, state, pkt->now))
		return GO_ON;
	if (!is_still_allowed(pkt, ingress, flow, state))
		return TP_R_icmp_unrelated;
	return error_forward(pkt, flow, s, ingress);
}

/* From the tunnel only a member speaks, and on a LAN no member does, nor all hosts at once. */
static __always_inline int error_source(const struct pkt *pkt)
{
	struct tp_route *src = route_find(pkt->generation, &pkt->key.src);

	if (pkt->key.side == TP_SIDE_LAN && src && src->kind == TP_ROUTE_BROADCAST)
		return TP_R_martian;
	if (pkt->key.side == TP_SIDE_LAN)
		return src && route_is_mesh_source(src) ? TP_R_spoof : GO_ON;
	if (!pkt->generation)
		return TP_R_no_policy;
	if (!src || src->kind != TP_ROUTE_MESH)
		return TP_R_spoof;
	return route_is_expired(src, pkt->now) ? TP_R_peer_expired : GO_ON;
}

/* On its way in; parsed, and from no martian. */
static __always_inline int route_error(struct pkt *pkt, __u32 ingress)
{
	int r = error_source(pkt);

	return r == GO_ON ? error_about_flow(pkt, ingress) : r;
}

/* On its way out: the packet that it quotes came in by this device, in a flow of ours. */
static __noinline int error_is_judged(struct pkt *pkt)
{
	struct tp_scratch *s = scratch_find();
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	if (!s || !icmp_is_error(pkt) || !error_read(pkt, s) ||
	    !addr_same(&pkt->key.dst, &s->quote.key.src))
		return false;
	s->quote.key.side = pkt->key.side;
	flow = flow_find(&s->quote.key, &state);
	return flow && state && is_still_allowed(pkt, 0, flow, state);
}

#endif
