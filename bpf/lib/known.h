/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet that hits the flow table: is the flow still what the policy and the peer allow? */
#ifndef BPF_LIB_KNOWN_H
#define BPF_LIB_KNOWN_H

#include "lib/admit.h"
#include "lib/flow.h"

/*
 * RFC 5382: a SYN on a closing connection is a new one, and is judged as such: the old one goes
 * only when another is opened.
 */
static __always_inline bool is_reopened(const struct pkt *pkt, const struct tp_flow_state *state)
{
	return pkt->key.proto == IPPROTO_TCP && state->kind == TP_FLOW_TCP_CLOSING &&
	       (pkt->tcp_flags & TCP_FLAGS) == TCP_SYN;
}

/* Whether it would leave with the same address is for snat_is_current to say, which knows how. */
static __always_inline bool is_carried_alike(const struct tp_flow_state *state,
					     const struct verdict *v)
{
	if (v->snat != state->snat)
		return false;
	if (v->snat == TP_SNAT_ADDRESS &&
	    !addr_same(&v->snat_addr, &state->way[TP_ANSWERER].key.dst))
		return false;
	return v->out_side == state->way[TP_ANSWERER].key.side;
}

/* What this machine's own socket opened is not judged, but its peer may be gone or changed. */
static __always_inline int own_again(const struct tp_flow_key *key, const struct admit_at *at,
				     struct tp_flow_state *state)
{
	const struct tp_route *dst = route_find(at->generation, &key->dst);

	if (!dst || dst->kind != TP_ROUTE_MESH)
		return TP_R_no_route;
	state->peer[1] = dst->peer;
	state->expires_at = dst->expires_at;
	return GO_ON;
}

/*
 * The policy has changed since the flow was judged: once more, by what its opener sent. It may
 * say something else about the size of packets too, or the tunnel's device may. What
 * this machine's own sockets opened was never judged. ingress: of this packet. Whether LANs are
 * judged is a setting of the whole node, so the opener's device says the same.
 */
static __noinline int judge_again(struct pkt *pkt, struct tp_flow *flow,
				  struct tp_flow_state *state, __u32 ingress)
{
	struct tp_flow_key key;
	struct admit_at at;
	struct tp_scratch *s = scratch_find();
	struct verdict *v; /* not on the stack: egress is five calls deep here */
	int r = GO_ON;

	if (!pkt || !flow || !state || !s)
		return TP_R_internal;
	v = &s->verdict;
	at.generation = pkt->generation;
	at.now = pkt->now;
	at.lan_judged = pkt->key.side == TP_SIDE_LAN && lan_is_judged(ingress);
	key = state->way[TP_OPENER].key;
	if (state->mapping[1]) { /* a hairpin: as in admit_new */
		key.dst = state->way[TP_ANSWERER].key.src;
		key.dport = state->way[TP_ANSWERER].key.sport;
	}
	if (state->rule == TP_RULE_OWN) {
		r = own_again(&key, &at, state);
		if (r != GO_ON)
			return r;
	} else {
		r = admit(&key, &at, v);
		count_refusal(pkt, r, v);
		if (r == GO_ON && v->to_service)
			r = admit_backend(&state->way[TP_ANSWERER].key.src, &at, v, key.side,
					  pkt->tunnel_ifindex);
		if (r == GO_ON && !is_carried_alike(state, v))
			r = TP_R_invalid;
		if (r != GO_ON)
			return r;
		state->rule = admitted_by(v);
		state->route = v->route;
		state->peer[0] = v->peer[0];
		state->peer[1] = v->peer[1];
		state->expires_at = v->expires_at;
		if (flow->flags & TP_FLOW_L3_OUT)
			flow->mtu =
				tunnel_mtu(pkt, flow->flags & TP_FLOW_REPLY ? v->back_mtu : v->mtu);
	}
	flow->policy_gen = (__u32)pkt->generation;
	return GO_ON;
}

/* For what must not end a flow that it finds expired or refused, nor begin another. */
static __always_inline bool is_still_allowed(struct pkt *pkt, __u32 ingress, struct tp_flow *flow,
					     struct tp_flow_state *state)
{
	if (flow_is_expired(pkt->limits, state, pkt->now))
		return false;
	if (flow->policy_gen != (__u32)pkt->generation &&
	    judge_again(pkt, flow, state, ingress) != GO_ON)
		return false;
	return !state->expires_at || pkt->now < state->expires_at;
}

/* The live, allowed flow of this packet in *flow, NULL when it needs a new one; or a refusal. */
static __always_inline int known_flow(struct pkt *pkt, __u32 ingress, struct tp_flow **out,
				      struct tp_flow_state **state)
{
	struct tp_flow *flow = flow_find(&pkt->key, state);
	int r;

	*out = NULL;
	if (!flow)
		return GO_ON;
	if (flow_is_expired(pkt->limits, *state, pkt->now)) {
		if (flow_kill(*state, flow->slot, flow->slot_gen, pkt->now))
			count_flow(FLOW_EXPIRED);
		return GO_ON;
	}
	if (flow->policy_gen != (__u32)pkt->generation) {
		r = judge_again(pkt, flow, *state, ingress);
		if (r != GO_ON) {
			flow_kill(*state, flow->slot, flow->slot_gen, pkt->now);
			return r;
		}
	}
	if ((*state)->expires_at && pkt->now >= (*state)->expires_at)
		return TP_R_peer_expired;

	*out = flow;
	return GO_ON;
}

#endif
