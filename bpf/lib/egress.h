/* SPDX-License-Identifier: GPL-2.0-only */
/* On the way out of the tunnel or a LAN device: was it judged, and if not, may it go? */
#ifndef BPF_LIB_EGRESS_H
#define BPF_LIB_EGRESS_H

#include "lib/error.h"
#include "lib/frag.h"
#include "lib/known.h"
#include "lib/local_vip.h"
#include "lib/open.h"
#include "lib/own_answer.h"
#include "lib/parse.h"
#include "lib/scope.h"
#include "lib/serve.h"

/* As fast_egress, for a flow that needs a second look. */
static __always_inline bool is_judged(struct pkt *pkt)
{
	struct tp_scratch *s = scratch_find();
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	if (!s)
		return false;
	flow_key_reverse(&s->reply_key, &pkt->key, pkt->key.side);
	flow = flow_find(&s->reply_key, &state);
	if (!flow || !state || !frag_follows(pkt, flow))
		return false;

	/* else its way in has looked at it just now */
	if (flow->flags & (TP_FLOW_LOCAL | TP_FLOW_HANDED)) {
		if (!is_still_allowed(pkt, 0, flow, state)) {
			flow_kill(state, flow->slot, flow->slot_gen, pkt->now);
			return false;
		}
		if (is_reopened(pkt, state)) {
			flow_replaces(s, flow);
			return false;
		}
		flow_touch(pkt, state, !(flow->flags & TP_FLOW_REPLY));
	}
	frag_remember(pkt, flow);
	return true;
}

/*
 * This machine's own socket goes on with a connection whose flow is gone: expired, or refused by
 * a new policy. Opening one for it would admit the other side again, which was not asked; so the
 * other side's packets are judged as if they had come first.
 */
static __always_inline void own_goes_on(struct pkt *pkt, struct tp_scratch *s)
{
	struct admit_at at = { .generation = pkt->generation, .now = pkt->now };
	struct verdict *v = &s->verdict;

	if (pkt->tcp_flags & TCP_RST)
		return;
	s->reply_key = pkt->key;
	flow_key_reverse(&pkt->key, &s->reply_key, TP_SIDE_TUNNEL);
	if (admit(&pkt->key, &at, v) != GO_ON || v->out_side)
		return;
	v->mid_flow = true;
	v->by_answerer = true;
	open_local(pkt, v);
}

/* This machine's own socket: not judged. When the table is full it goes out all the same. */
static __always_inline int own_to_tunnel(struct pkt *pkt, struct tp_scratch *s)
{
	struct tp_route *dst = route_find(pkt->generation, &pkt->key.dst);
	struct verdict *v = &s->verdict;

	if (!dst || dst->kind != TP_ROUTE_MESH || pkt->frag_offset)
		return TP_R_own;
	if (proto_is_icmp(pkt) && !icmp_is_query(pkt))
		return TP_R_own;
	if (admit_opening(pkt) != GO_ON) {
		own_goes_on(pkt, s);
		return TP_R_own;
	}
	__builtin_memset(v, 0, sizeof(*v));
	v->rule = TP_RULE_OWN;
	v->peer[1] = dst->peer;
	v->expires_at = dst->expires_at;
	pkt->key.side = TP_SIDE_LAN;
	return open_outbound(pkt, v) == GO_SLOW ? GO_SLOW : TP_R_own;
}

/* From a pod, a bridge, another device: judged here, where the stack has routed it. */
static __always_inline int stack_to_tunnel(struct pkt *pkt, struct tp_scratch *s)
{
	struct admit_at at = { .generation = pkt->generation, .now = pkt->now };
	int r;

	if (pkt->frag_offset)
		return TP_R_frag_unknown;
	pkt->key.side = TP_SIDE_LAN;
	r = admit(&pkt->key, &at, &s->verdict);
	count_refusal(pkt, r, &s->verdict);
	if (r == TP_R_not_ours)
		return TP_R_unjudged;
	if (r == GO_ON)
		r = admit_opening(pkt);
	if (r == GO_ON)
		r = open_outbound(pkt, &s->verdict);
	return r == GO_ON ? TP_R_judged : r;
}

static __noinline int own_answer_send(struct pkt *pkt, const struct tp_flow *flow,
				      struct tp_flow_state *state)
{
	return pkt && flow && state ? own_answer(pkt, flow, state) : TP_R_internal;
}

/*
 * scratch->reply_key's flow, on its way out of the tunnel: of answers of this machine, or of a load
 * balancer that it was handed to (local_vip.h). Nothing else of a LAN's comes here as it was sent.
 */
static __noinline struct tp_flow *service_flow(struct tp_scratch *s, struct tp_flow_state **state)
{
	struct tp_flow *flow;

	if (!s || !state)
		return NULL;
	s->reply_key.side = TP_SIDE_OWN;
	flow = flow_find(&s->reply_key, state);
	if (flow)
		return flow;
	s->reply_key.side = TP_SIDE_LAN;
	flow = flow_find(&s->reply_key, state);
	if (!flow || !*state || !(flow->flags & TP_FLOW_SRC_NAT))
		return NULL;
	return (*state)->way[TP_OPENER].to.flags & TP_FLOW_HANDED ? flow : NULL;
}

/*
 * As fast_own_answer, for a flow that needs a second look, and for what a load balancer answers,
 * whose key the fast program does not look for. GO_ON: of none.
 */
static __always_inline int data_for_service(struct pkt *pkt, struct tp_scratch *s)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	s->reply_key = pkt->key;
	flow = service_flow(s, &state);
	if (!flow || !state || !frag_follows(pkt, flow))
		return GO_ON;
	if (is_still_allowed(pkt, 0, flow, state) && backend_is_current(state))
		return own_answer_send(pkt, flow, state);
	flow_kill(state, flow->slot, flow->slot_gen, pkt->now);
	return TP_R_unjudged;
}

/* scratch->quote and scratch->forward: what is quoted, and the flow's way of the answers. */
static __noinline int own_error_send(struct pkt *pkt)
{
	struct tp_scratch *s = scratch_find();
	int r;

	if (!pkt || !s)
		return TP_R_internal;
	r = error_translate(pkt, &s->quote, &s->forward);
	return r == GO_ON ? TP_R_translated : r;
}

/* The stack refuses what it was given, and quotes that. */
static __always_inline int error_for_service(struct pkt *pkt, struct tp_scratch *s)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	if (!error_read(pkt, s) || !addr_same(&pkt->key.dst, &s->quote.key.src))
		return GO_ON;
	flow_key_reverse(&s->reply_key, &s->quote.key, TP_SIDE_OWN);
	flow = service_flow(s, &state);
	if (!flow || !state)
		return GO_ON;
	if (!is_still_allowed(pkt, 0, flow, state))
		return TP_R_unjudged;
	s->forward = *flow;
	return own_error_send(pkt);
}

/* What this machine, or its load balancer, answers as the backend of a service. GO_ON: neither. */
static __always_inline int answer_for_service(struct pkt *pkt, struct tp_scratch *s)
{
	return icmp_is_error(pkt) ? error_for_service(pkt, s) : data_for_service(pkt, s);
}

/*
 * The kernel's route of a service leads into the tunnel, lest what no program translates go out by
 * the default route: sockets that are left alone, what is forwarded from a device that is not ours.
 */
static __always_inline bool is_to_service(const struct pkt *pkt)
{
	const struct tp_route *dst;

	dst = pkt->has_addrs ? route_find(pkt->generation, &pkt->key.dst) : NULL;
	return dst && dst->kind == TP_ROUTE_SERVICE;
}

/* r: what parsing it has come to. */
static __always_inline int tunnel_egress(struct __sk_buff *skb, struct pkt *pkt, int r)
{
	struct tp_scratch *s = scratch_find(); /* five calls deep, the stack is 512 bytes in all */

	if (!s)
		return TP_R_internal;
	flow_replaces(s, NULL);
	if (r == TP_R_local_scope || (pkt->has_addrs && scope_is_local(pkt)))
		return TP_R_local_scope;
	if (is_to_service(pkt))
		return TP_R_no_service;
	if (r == GO_ON)
		r = frag_recall(pkt);
	if (r == GO_ON && (is_judged(pkt) || error_is_judged(pkt)))
		return TP_R_judged;
	if (r == GO_ON) {
		r = answer_for_service(pkt, s);
		if (r != GO_ON)
			return r;
	}
	if (!skb->ingress_ifindex)
		return r == GO_ON ? own_to_tunnel(pkt, s) : TP_R_own;
	if (r == TP_R_frag_unknown)
		return r;
	return r == GO_ON ? stack_to_tunnel(pkt, s) : TP_R_unjudged;
}

/*
 * Each end has opened to the other, from and to the same two ports, and is translated on the
 * other's LAN: what goes out here is one's question or the answer to the other's, and both look
 * alike.
 */
static __always_inline bool may_be_an_answer(const struct pkt *pkt)
{
	struct tp_scratch *s = scratch_find();
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	if (!s)
		return true;
	flow_key_reverse(&s->reply_key, &pkt->key, TP_SIDE_LAN);
	flow = flow_find(&s->reply_key, &state);
	return flow && state && (flow->flags & TP_FLOW_SRC_NAT);
}

/*
 * What the stack has finished for us still has the source that it came with, by the tunnel or by a
 * LAN: its way in has judged it by that, and has chosen the address that it leaves with. The TTL
 * went down in the stack. GO_ON: it has no flow that is translated.
 */
static __noinline int translate_out(struct pkt *pkt, __u8 came_by)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;
	int r;

	pkt->key.side = came_by;
	flow = flow_find(&pkt->key, &state);
	if (!flow || !state || !(flow->flags & TP_FLOW_SRC_NAT))
		return GO_ON;
	if (!frag_follows(pkt, flow))
		return TP_R_unjudged;
	if (flow->policy_gen != (__u32)pkt->generation)
		return TP_R_unjudged; /* the policy has changed under way */
	if (came_by == TP_SIDE_LAN && may_be_an_answer(pkt))
		return TP_R_nat_options;

	r = rewrite_tuple(pkt, flow);
	if (r != GO_ON)
		return r;
	frag_remember(pkt, flow);
	return TP_R_translated;
}

/*
 * What came through the tunnel. It was judged on its way in, and translated unless the stack had to
 * finish it. Anything else with a mesh source must not get out, to a link-local address neither:
 * Linux forwards to 169.254.0.0/16, where clouds keep their metadata. r: of parsing it.
 */
static __always_inline int lan_egress(struct pkt *pkt, int r)
{
	if (r == GO_ON)
		r = frag_recall(pkt);
	if (r != GO_ON)
		return TP_R_unjudged;
	if (is_judged(pkt) || error_is_judged(pkt))
		return TP_R_judged;
	r = translate_out(pkt, TP_SIDE_TUNNEL);
	return r == GO_ON ? TP_R_unjudged : r;
}

/*
 * Somebody else on this machine sends from a port that a mapping stands on: the port is his. If
 * a flow of ours goes between the very same ends, its answers would be taken for his, and his for
 * ours: it is closed at once, the others that hold the mapping when they are looked at next.
 */
static __noinline int foreign_to_lan(struct pkt *pkt, int parsed)
{
	struct tp_nat_in_key mapping = {};
	struct tp_flow_state *state = NULL;
	struct tp_flow_key key;
	struct tp_flow *flow;
	bool retired, ours;

	if (parsed != GO_ON || pkt->fragment)
		return TP_R_not_ours;
	flow_key_reverse(&key, &pkt->key, TP_SIDE_LAN);
	flow = flow_find(&key, &state);
	ours = flow && state && (flow->flags & TP_FLOW_DST_NAT);
	/*
	 * No socket need stand behind a RST: the stack refuses with one whatever reached it of no
	 * flow. Else any LAN host could end everybody's connections by trying the ports. One that
	 * refuses an answer of a flow of ours, which came while no program was there to take it,
	 * would end that flow: the answer comes again.
	 */
	if (pkt->tcp_flags & TCP_RST)
		return ours ? TP_R_unjudged : TP_R_not_ours;
	mapping.outside = pkt->key.src;
	mapping.port = pkt->key.sport;
	mapping.proto = pkt->key.proto;
	retired = nat_retire(&mapping);
	if (ours)
		flow_kill(state, flow->slot, flow->slot_gen, pkt->now);
	return retired ? TP_R_nat_port_lost : TP_R_not_ours;
}

/*
 * Where a LAN that is judged sends it: its way in was judged when that is a prefix of ours. But
 * what another NAT of this machine lets leave as this machine is foreign: NULL. So is what a load
 * balancer makes of a packet that was handed to it (local_vip.h).
 */
static __always_inline const struct tp_route *judged_route(const struct pkt *pkt)
{
	const struct tp_route *src, *dst;

	dst = pkt->has_addrs ? route_find(pkt->generation, &pkt->key.dst) : NULL;
	if (!dst || dst->kind != TP_ROUTE_LAN || (dst->flags & TP_ROUTE_EXIT))
		return NULL;
	src = route_find(pkt->generation, &pkt->key.src);
	if (!src)
		return dst;
	return src->kind == TP_ROUTE_HOST || route_is_mesh_source(src) ? NULL : dst;
}

/*
 * From one LAN to another, by way of the stack, where that is judged. To a prefix with SNAT it
 * leaves translated or not at all; to any other it is let go in any case: what belongs to no flow
 * may have been redirected on this machine, and its way in has seen another destination.
 */
static __always_inline int lan_to_lan_egress(struct pkt *pkt, int parsed)
{
	int r = parsed;
	const struct tp_route *route = judged_route(pkt);
	bool translated = route && route->snat != TP_SNAT_NONE;

	if (!route)
		return foreign_to_lan(pkt, parsed);
	if (r == GO_ON)
		r = frag_recall(pkt);
	if (r != GO_ON)
		return translated ? TP_R_unjudged : TP_R_not_ours;

	r = translate_out(pkt, TP_SIDE_LAN);
	if (r != GO_ON)
		return r;
	if (is_judged(pkt) || error_is_judged(pkt))
		return TP_R_judged;
	return translated ? TP_R_unjudged : foreign_to_lan(pkt, GO_ON);
}

#endif
