/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an established flow's packet needs and nothing else: one lookup, rewrite, redirect. Any
 * doubt ends in GO_SLOW with the packet untouched; the slow program begins again with it.
 */
#ifndef BPF_LIB_FAST_H
#define BPF_LIB_FAST_H

#include "lib/forward.h"
#include "lib/frag.h"
#include "lib/icmp.h"
#include "lib/known.h"
#include "lib/own_answer.h"

/* The flow needs no second look, at nothing but its own entries. */
static __always_inline bool fast_is_settled(const struct pkt *pkt, const struct tp_flow *flow,
					    const struct tp_flow_state *state)
{
	if (flow->policy_gen != (__u32)pkt->generation ||
	    flow_is_expired(pkt->limits, state, pkt->now))
		return false;
	if (state->expires_at && pkt->now >= state->expires_at)
		return false;
	return !is_reopened(pkt, state);
}

/* The packet needs no answer and no help of the stack on this flow's way. */
static __always_inline bool fast_fits(const struct pkt *pkt, const struct tp_flow *flow)
{
	if (flow->flags & TP_FLOW_LOCAL)
		return !(flow->flags & TP_FLOW_DST_NAT) ||
		       (!pkt->options && next_hop_is_fresh(pkt, flow));
	return !pkt->options && pkt->ttl > 1 && !is_too_big(pkt, flow->mtu) &&
	       next_hop_is_fresh(pkt, flow);
}

/* On its way in. GO_ON: belongs to no flow, or is odd. */
static __always_inline int fast_ingress(struct pkt *pkt)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;
	int r = parse(pkt);

	if (r == TP_R_local_scope)
		return r;
	if (r != GO_ON)
		return GO_ON; /* the slow program gives the reason */
	r = frag_recall(pkt);
	if (r != GO_ON)
		return r == TP_R_frag_unknown ? GO_ON : GO_SLOW;
	flow = flow_find_fast(&pkt->key, &state);
	if (pkt->frag_offset && (!flow || !state))
		return GO_SLOW; /* its first one was ours */
	if (!flow || !state)
		return icmp_is_error(pkt) ? GO_ERROR : GO_ON;
	if (!fast_is_settled(pkt, flow, state) || !fast_fits(pkt, flow) || !frag_follows(pkt, flow))
		return GO_SLOW;

	flow_touch(pkt, state, flow->flags & TP_FLOW_REPLY);
	frag_remember(pkt, flow);
	return flow->flags & TP_FLOW_LOCAL ? deliver(pkt, flow) : send_direct(pkt, flow);
}

/*
 * Out of the tunnel, of no flow that was judged by the addresses it has: what answers for a service
 * gets its address.
 */
static __always_inline int fast_own_answer(struct pkt *pkt, struct tp_flow_key *key)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	if (pkt->key.side != TP_SIDE_TUNNEL)
		return GO_SLOW;
	*key = pkt->key;
	key->side = TP_SIDE_OWN;
	flow = flow_find(key, &state);
	if (!flow || !state || !frag_follows(pkt, flow) || !fast_is_settled(pkt, flow, state))
		return GO_SLOW;
	return own_answer(pkt, flow, state);
}

/*
 * On its way out: a packet is judged if the flow that its answers belong to exists. Nothing but
 * the accounting of flows that end at this machine happens to it.
 */
static __always_inline int fast_egress(struct pkt *pkt)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow_key key;
	struct tp_flow *flow;

	if (parse(pkt) != GO_ON || frag_recall(pkt) != GO_ON)
		return GO_SLOW;
	flow_key_reverse(&key, &pkt->key, pkt->key.side);
	flow = flow_find(&key, &state);
	if (!flow || !state)
		return fast_own_answer(pkt, &key);
	if (!frag_follows(pkt, flow))
		return GO_SLOW;

	/* else its way in has looked at it just now */
	if (flow->flags & (TP_FLOW_LOCAL | TP_FLOW_HANDED)) {
		if (!fast_is_settled(pkt, flow, state))
			return GO_SLOW;
		flow_touch(pkt, state, !(flow->flags & TP_FLOW_REPLY));
	}
	frag_remember(pkt, flow);
	return TP_R_judged;
}

#endif
