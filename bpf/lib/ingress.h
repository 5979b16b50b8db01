/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two ways in, whole: whatever a packet needs that is not the next one of an established
 * flow. The fast programs have left it untouched.
 */
#ifndef BPF_LIB_INGRESS_H
#define BPF_LIB_INGRESS_H

#include "lib/error.h"
#include "lib/frag.h"
#include "lib/hairpin.h"
#include "lib/known.h"
#include "lib/lan.h"
#include "lib/local.h"
#include "lib/local_vip.h"
#include "lib/open.h"
#include "lib/parse_slow.h"
#include "lib/scope.h"
#include "lib/serve.h"
#include "lib/start.h"
#include "lib/verdict.h"

/*
 * Judged as what it is meant for: a hairpin's destination stands for a member. Not inlined: what it
 * needs of the stack is free again when the flow is opened.
 */
static __noinline int admit_new(struct pkt *pkt, struct tp_scratch *s, __u32 ingress, bool *hairpin)
{
	struct admit_at at = { .generation = pkt->generation, .now = pkt->now };

	at.lan_judged = pkt->key.side == TP_SIDE_LAN && lan_is_judged(ingress);
	*hairpin = hairpin_find(pkt);
	return admit(*hairpin ? &s->inner : &pkt->key, &at, &s->verdict);
}

static __always_inline int open_new(struct pkt *pkt, struct tp_scratch *s, __u32 ingress,
				    bool hairpin)
{
	int r;

	if (pkt->key.side == TP_SIDE_TUNNEL && s->verdict.out_side == TP_SIDE_TUNNEL &&
	    !local_agrees(pkt, hairpin ? &s->inner.dst : &pkt->key.dst, ingress))
		return local_reason(pkt);
	if (!hairpin && is_to_local_vip(pkt, &s->verdict))
		return open_to_local_vip(pkt, &s->verdict, ingress);
	if (!hairpin)
		return open_flow(pkt, &s->verdict, ingress);
	r = admit_opening(pkt);
	return r == GO_ON ? open_hairpin(pkt, &s->verdict) : r;
}

/* What came of a flow that was admitted, or not. */
static __always_inline int end_new(struct pkt *pkt, const struct verdict *v, int r)
{
	if (r == TP_R_ct_full || r == TP_R_nat_full)
		note_shortage(pkt);
	if (is_refused(r))
		count_peer_drop(v->peer[0]);
	return r;
}

/* Admission of a new flow. old: a closing one that its SYN takes the place of, or NULL. */
static __always_inline int new_flow(struct pkt *pkt, const struct tp_flow *old, __u32 ingress)
{
	struct tp_scratch *scratch = scratch_find();
	struct verdict *v; /* six calls deep, the stack is 512 bytes in all */
	bool hairpin;
	int r;

	if (!scratch)
		return TP_R_internal;
	v = &scratch->verdict;
	flow_replaces(scratch, old);
	r = admit_new(pkt, scratch, ingress, &hairpin);
	count_refusal(pkt, r, v);
	if (r == GO_ON)
		r = v->to_service ? GO_SERVE : open_new(pkt, scratch, ingress, hairpin);
	return end_new(pkt, v, r);
}

/* scratch->forward: a copy of the flow. */
static __always_inline int known_on_its_way(struct pkt *pkt, struct tp_scratch *s,
					    struct tp_flow *flow, struct tp_flow_state *state,
					    __u32 ingress)
{
	int r;

	if (s->forward.flags & TP_FLOW_HANDED)
		r = hand_over_known(pkt, &s->forward, state);
	else
		r = forward_known(pkt, &s->forward, flow, state, ingress);
	if (is_let_through(r))
		frag_remember(pkt, &s->forward);
	return r;
}

/* Known flow, or another program's: the same for both ways in. */
static __always_inline int route_packet(struct pkt *pkt, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;
	int r = known_flow(pkt, ingress, &flow, &state);

	if (r != GO_ON)
		return r;
	if (!s)
		return TP_R_internal;
	if (pkt->frag_offset && (!flow || !frag_follows(pkt, flow)))
		return TP_R_frag_unknown; /* not the flow that its first fragment was judged for */
	if (!flow || !state || is_reopened(pkt, state))
		return GO_OPEN;

	s->forward = *flow;
	if (snat_is_current(pkt, &s->forward, state, ingress) && backend_is_current(state) &&
	    local_vip_is_current(pkt, &s->forward, flow, ingress)) {
		r = local_check(pkt, &s->forward, flow, ingress);
		return r == GO_ON ? known_on_its_way(pkt, s, flow, state, ingress) : r;
	}
	flow_kill(state, s->forward.slot, s->forward.slot_gen, pkt->now);
	return pkt->frag_offset ? TP_R_frag_unknown : GO_OPEN;
}

/*
 * In the program that opens flows: parsed by the one before, which has let the packet so far. A
 * flow that another CPU has opened since is known there.
 */
static __always_inline int from_stranger(struct pkt *pkt, __u32 ingress)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *old;
	int r = parse_slow(pkt);

	if (r != GO_ON)
		return r;
	old = flow_find(&pkt->key, &state);
	if (old && state && !is_reopened(pkt, state))
		return GO_SLOW;
	if (pkt->key.side == TP_SIDE_LAN && local_keeps(pkt, ingress))
		return local_reason(pkt);
	return new_flow(pkt, old, ingress);
}

/* In the program that opens flows to services: admitted by the one before, which has left why. */
static __always_inline int from_client(struct pkt *pkt, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	int r = parse_slow(pkt);

	if (!s)
		return TP_R_internal;
	return r == GO_ON ? end_new(pkt, &s->verdict, open_service(pkt, s, ingress)) : r;
}

/* GO_ON: may be of a flow. */
static __always_inline int from_tunnel(struct pkt *pkt)
{
	int r = parse_slow(pkt);

	if (r != GO_ON)
		return r; /* local_scope: neighbour or listener discovery */
	if (scope_is_martian(pkt))
		return TP_R_martian;
	if (scope_is_beyond_grants(pkt))
		return TP_R_no_route;
	return frag_recall(pkt);
}

static __always_inline int lan_unknown_fragment(struct pkt *pkt, __u32 ingress)
{
	if (local_keeps(pkt, ingress))
		return TP_R_not_ours;
	if (lan_is_spoofed(pkt))
		return TP_R_spoof;
	return lan_is_ours(pkt, ingress) ? TP_R_frag_unknown : TP_R_not_ours;
}

/* GO_ON: may be of a flow. */
static __always_inline int from_lan(struct pkt *pkt, __u32 ingress)
{
	int r = parse_slow(pkt);

	if (r == TP_R_local_scope || (pkt->has_addrs && scope_is_local(pkt)))
		return TP_R_local_scope;
	if (r == GO_ON && scope_is_martian(pkt))
		r = TP_R_martian;
	/* what is wrong with other people's packets is not our business */
	if (r != GO_ON)
		return lan_concerns_us(pkt, ingress) && !local_keeps(pkt, ingress) ? r
										   : TP_R_not_ours;
	r = frag_recall(pkt);
	return r == TP_R_frag_unknown ? lan_unknown_fragment(pkt, ingress) : r;
}

static __always_inline int from_outside(struct pkt *pkt, __u32 ingress)
{
	int r = pkt->key.side == TP_SIDE_TUNNEL ? from_tunnel(pkt) : from_lan(pkt, ingress);

	return r == GO_ON ? route_packet(pkt, ingress) : r;
}

/* By the rows, and by the kernel. */
static __always_inline bool lan_is_for_us(struct pkt *pkt, __u32 ingress)
{
	return lan_is_ours(pkt, ingress) && !local_keeps(pkt, ingress);
}

/* An ICMP error, by either way in. About no flow of ours it is nobody's, or on a LAN others'. */
static __always_inline int from_error(struct pkt *pkt, __u32 ingress)
{
	bool lan = pkt->key.side == TP_SIDE_LAN;
	int r = parse_slow(pkt);

	if (r == TP_R_local_scope || (pkt->has_addrs && scope_is_local(pkt)))
		return TP_R_local_scope;
	if (r == GO_ON && scope_is_martian(pkt))
		r = TP_R_martian;
	if (r != GO_ON)
		return lan && !lan_is_for_us(pkt, ingress) ? TP_R_not_ours : r;
	r = route_error(pkt, ingress);
	if (r != GO_ON)
		return r;
	return lan && !lan_is_for_us(pkt, ingress) ? TP_R_not_ours : TP_R_icmp_unrelated;
}

#endif
