/* SPDX-License-Identifier: GPL-2.0-only */
/* The first packet of a flow: after its admission, address, next hop and memory. */
#ifndef BPF_LIB_OPEN_H
#define BPF_LIB_OPEN_H

#include "lib/admit.h"
#include "lib/forward.h"
#include "lib/frag.h"
#include "lib/maps.h"
#include "lib/slots.h"
#include "lib/snat.h"
#include "lib/socket.h"

static __always_inline enum tp_flow_kind flow_kind(const struct pkt *pkt)
{
	if (pkt->key.proto == IPPROTO_TCP)
		return TP_FLOW_TCP_OPENING;
	if (pkt->key.proto == IPPROTO_UDP)
		return TP_FLOW_UDP;
	return proto_is_icmp(pkt) ? TP_FLOW_ICMP : TP_FLOW_OTHER;
}

static __always_inline void flow_fill_state(struct pkt *pkt, struct tp_flow_state *state,
					    const struct verdict *v, const struct tp_scratch *s)
{
	state->kind = flow_kind(pkt);
	state->tcp = 0;
	state->snat = v->snat;
	state->rule = admitted_by(v);
	state->route = v->route;
	state->peer[0] = v->peer[0];
	state->peer[1] = v->peer[1];
	state->seen = pkt->now;
	state->expires_at = v->expires_at;
	state->died = 0;
	state->mapping[0] = s->mapping[0];
	state->mapping[1] = s->mapping[1];
	__builtin_memset(state->way, 0, sizeof(state->way));
	state->way[TP_OPENER].key = pkt->key;
	state->way[TP_ANSWERER].key = s->reply_key;
	if (v->mid_flow)
		tcp_take_over(pkt, state);
}

/* Notes that a new flow takes the place of a closing one, or of none (NULL). */
static __always_inline void flow_replaces(struct tp_scratch *s, const struct tp_flow *old)
{
	s->replaces.slot = old ? old->slot : 0;
	s->replaces.gen = old ? old->slot_gen : 0;
}

static __always_inline bool flow_is_replaced(const struct tp_scratch *s, const struct tp_flow *flow)
{
	return flow->slot == s->replaces.slot && flow->slot_gen == s->replaces.gen;
}

/* Ends that one, now that nothing is in the way of the new one but its keys. */
static __always_inline void flow_end_replaced(struct pkt *pkt, const struct tp_scratch *s)
{
	__u32 slot = s->replaces.slot;
	struct tp_flow_state *old;

	if (!s->replaces.gen)
		return;
	old = bpf_map_lookup_elem(&tp_flow_state, &slot);
	if (old)
		flow_kill(old, slot, s->replaces.gen, pkt->now);
}

/*
 * Whether a flow alive has the key of this one's answers. It came first and keeps it: else a LAN
 * host could take over, with a SYN to the right port, what a member has open to it through SNAT.
 */
static __always_inline bool reply_is_taken(struct pkt *pkt, struct tp_scratch *s)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow = flow_find(&s->reply_key, &state);

	if (!flow || !state || flow_is_replaced(s, flow))
		return false;
	if (!flow_is_expired(pkt->limits, state, pkt->now))
		return true;
	if (flow_kill(state, flow->slot, flow->slot_gen, pkt->now))
		count_flow(FLOW_EXPIRED);
	return false;
}

/* From here on the flow is alive: all that it consists of is in its place. */
static __always_inline void flow_begin(struct tp_flow_state *state, __u32 slot, __u64 now)
{
	struct tp_slot_cursor *cursor = flow_cursor();
	__u32 gen = state->gen + 1;

	__sync_val_compare_and_swap(&state->gen, gen - 1, gen); /* unlike an addition, a barrier */
	if (cursor)
		__sync_fetch_and_add(&cursor->live, 1);
	if (flow_is_half_open(state))
		half_open_remember(slot, gen, now);
	count_flow(FLOW_CREATED);
}

static __always_inline void flow_fill_ways(struct pkt *pkt, struct tp_scratch *s,
					   struct tp_flow_state *state, __u32 slot,
					   enum flow_entries entries)
{
	__u32 gen = state->gen + 1;

	s->forward.slot = slot;
	s->forward.slot_gen = gen;
	s->forward.policy_gen = (__u32)pkt->generation;
	s->reply.slot = slot;
	s->reply.slot_gen = gen;
	s->reply.policy_gen = s->forward.policy_gen;
	state->ways = entries;
	state->way[TP_OPENER].to = s->forward;
	state->way[TP_ANSWERER].to = s->reply;
}

/* Somebody else has a key: if it is this very flow, another CPU's, the packet goes on with it. */
static __always_inline int flow_lost(enum flow_entries entries, __u32 looks)
{
	return claim_await(entries, looks) ? GO_SLOW : TP_R_clash;
}

/*
 * Puts scratch->forward (under pkt->key, which is scratch->forward_key from then on) and
 * scratch->reply (under scratch->reply_key) into the table, or the one of them that `entries`
 * names. GO_SLOW: another CPU has just opened the flow, and the packet, untouched and not counted
 * yet, belongs to it. Takes over the hold on NAT mappings, also on failure: the sweep releases it
 * with the slot.
 */
static __noinline int flow_remember(struct pkt *pkt, struct tp_scratch *s, const struct verdict *v,
				    enum flow_entries entries)
{
	bool taken;
	struct tp_flow_state *state;
	__u32 slot = 0;
	int r;

	if (!pkt || !s || !v)
		return TP_R_internal;
	s->forward_key = pkt->key;
	taken = (entries & ENTRY_REPLY) && reply_is_taken(pkt, s);
	state = taken ? NULL : flow_take_slot(pkt, &slot);
	if (!state) {
		flow_release_nat(&pkt->key, &s->reply_key, s->mapping);
		/* who has the key is alive: a second look would find nothing new */
		return taken ? flow_lost(entries, 1) : TP_R_ct_full;
	}

	flow_end_replaced(pkt, s);
	flow_fill_state(pkt, state, v, s);
	flow_fill_ways(pkt, s, state, slot, entries);
	r = claim_entries(entries);
	if (r != CLAIM_WON) {
		flow_abandon(state, slot, pkt->now);
		return r == CLAIM_LOST ? flow_lost(entries, CLAIM_LOOKS) : TP_R_ct_full;
	}
	flow_touch(pkt, state, v->by_answerer);
	flow_begin(state, slot, pkt->now);
	frag_remember(pkt, &s->forward);
	return GO_ON;
}

static __always_inline void scratch_start(struct pkt *pkt, struct tp_scratch *s)
{
	__builtin_memset(s, 0, offsetof(struct tp_scratch, fib));
	s->forward.src = pkt->key.src;
	s->forward.dst = pkt->key.dst;
	s->forward.sport = pkt->key.sport;
	s->forward.dport = pkt->key.dport;
}

/* The entry of the answers: what forward did, undone. */
static __always_inline void scratch_reply(struct pkt *pkt, struct tp_scratch *s,
					  const struct verdict *v)
{
	s->reply_key.src = s->forward.dst;
	s->reply_key.dst = s->forward.src;
	s->reply_key.sport = s->forward.dport;
	s->reply_key.dport = s->forward.sport;
	s->reply_key.proto = pkt->key.proto;
	s->reply_key.side = v->out_side;
	s->reply_key.answer = proto_is_icmp(pkt); /* a query has opened the flow */

	s->reply.src = pkt->key.dst;
	s->reply.dst = pkt->key.src;
	s->reply.sport = pkt->key.dport;
	s->reply.dport = pkt->key.sport;
	s->reply.flags = TP_FLOW_REPLY;
	if (s->forward.flags & TP_FLOW_SRC_NAT)
		s->reply.flags |= TP_FLOW_DST_NAT;
	if (s->forward.flags & TP_FLOW_DST_NAT)
		s->reply.flags |= TP_FLOW_SRC_NAT;
}

/* The way back: into the tunnel, or to a LAN host whose next hop the first answer looks up. */
static __always_inline void reply_next_hop(struct pkt *pkt, struct tp_scratch *s,
					   const struct verdict *v)
{
	if (pkt->key.side == TP_SIDE_TUNNEL) {
		s->reply.ifindex = pkt->tunnel_ifindex;
		s->reply.mtu = tunnel_mtu(pkt, v->back_mtu);
		s->reply.flags |= TP_FLOW_L3_OUT;
	} else {
		s->reply.flags |= TP_FLOW_NEIGH;
	}
}

/*
 * What this machine answers to the packet would be taken for the answers of a service that it is
 * the backend of: the same port of the same client asked that before.
 */
static __always_inline bool is_served_here(struct pkt *pkt, struct tp_scratch *s)
{
	bool served;

	flow_key_reverse(&s->reply_key, &pkt->key, TP_SIDE_OWN);
	served = reply_is_taken(pkt, s);
	__builtin_memset(&s->reply_key, 0, sizeof(s->reply_key)); /* it has none of its own */
	return served;
}

/* Ends at this machine: remembered, so that its answers and later packets are known. */
static __noinline int open_local(struct pkt *pkt, const struct verdict *v)
{
	struct tp_scratch *s = scratch_find();
	int r;

	if (!s)
		return TP_R_internal;
	scratch_start(pkt, s);
	if (is_served_here(pkt, s))
		return TP_R_clash;
	s->forward.flags = TP_FLOW_LOCAL;
	r = flow_remember(pkt, s, v, ENTRY_FORWARD);
	return r == GO_ON ? TP_R_deliver : r;
}

/*
 * Leaves through the tunnel by way of the stack, which also takes the answers: only these enter
 * by a program of ours, so theirs is the only entry.
 */
static __noinline int open_outbound(struct pkt *pkt, const struct verdict *v)
{
	struct tp_scratch *s = scratch_find();

	if (!s)
		return TP_R_internal;
	scratch_start(pkt, s);
	scratch_reply(pkt, s, v);
	s->reply_key.side = TP_SIDE_TUNNEL;
	s->reply.flags = TP_FLOW_LOCAL | TP_FLOW_REPLY;
	return flow_remember(pkt, s, v, ENTRY_REPLY);
}

/* Both ways of a flow, of which scratch->forward has the one. */
static __always_inline int open_both(struct pkt *pkt, struct tp_scratch *s, const struct verdict *v)
{
	scratch_reply(pkt, s, v);
	reply_next_hop(pkt, s, v);
	return flow_remember(pkt, s, v, ENTRY_BOTH);
}

static __noinline int open_to_tunnel(struct pkt *pkt, const struct verdict *v)
{
	struct tp_scratch *s = scratch_find();
	int r, help; /* what the stack is asked for */

	if (!s)
		return TP_R_internal;
	scratch_start(pkt, s);
	s->forward.ifindex = pkt->tunnel_ifindex;
	s->forward.mtu = tunnel_mtu(pkt, v->mtu);
	s->forward.flags = TP_FLOW_L3_OUT;
	s->forward.checked = (__u32)pkt->now;
	help = stack_reason(pkt, s->forward.mtu);
	if (pkt->whole && is_too_big(pkt, s->forward.mtu))
		return TP_R_too_big; /* nobody carries it: no flow */

	r = open_both(pkt, s, v);
	if (r != GO_ON)
		return r;
	return help == GO_ON ? send_direct(pkt, &s->forward) : help;
}

static __always_inline int open_snat(struct pkt *pkt, struct tp_scratch *s, const struct verdict *v,
				     __u32 ingress)
{
	int r = snat_address(pkt, v, ingress, s->forward.ifindex, &s->nat_out_key.outside);

	return r == GO_ON ? snat_bind(pkt, s, false) : r;
}

/*
 * A packet that may not be split and is too large for the way out: GO_ON opens a flow for it all
 * the same. Larger than the device's MTU it is not carried by anybody. But what only the route is
 * too narrow for, the stack may send on (see we_answer), and that is found on its way out.
 */
static __always_inline int open_too_big(struct pkt *pkt, struct tp_flow *flow,
					const struct verdict *v)
{
	if (v->snat != TP_SNAT_NONE)
		flow->flags |= TP_FLOW_SRC_NAT;
	return stack_may_send_on(pkt, flow) ? GO_ON : answered_by(pkt, flow, TP_R_too_big);
}

static __noinline int open_to_lan(struct pkt *pkt, const struct verdict *v, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	struct bpf_fib_lookup *fib; /* not on the stack: six calls deep share 512 bytes */
	int r, help;                /* what the stack is asked for */
	long answer;

	if (!s)
		return TP_R_internal;
	scratch_start(pkt, s);
	fib = &s->fib;
	answer = route_next_hop(pkt, &pkt->key.src, &pkt->key.dst, ingress, fib);
	help = next_hop_set(pkt, &s->forward, fib, answer);
	if (help != GO_ON && help != TP_R_too_big)
		return help;
	r = help != GO_ON && pkt->whole ? open_too_big(pkt, &s->forward, v) : GO_ON;
	if (r == GO_ON && v->snat != TP_SNAT_NONE)
		r = open_snat(pkt, s, v, ingress);
	if (r != GO_ON)
		return r;

	r = open_both(pkt, s, v);
	if (r != GO_ON)
		return r;
	if (pkt->options)
		help = TP_R_ip_options;
	return help == GO_ON ? send_neigh(pkt, &s->forward, fib) : help;
}

/*
 * To a socket of this machine that was connected before the policy came, say that of the ssh
 * session it is applied from: the flow is taken over in its middle.
 */
static __always_inline bool goes_on_here(const struct pkt *pkt, const struct verdict *v)
{
	return !v->out_side && pkt->key.proto == IPPROTO_TCP && !(pkt->tcp_flags & TCP_SYN) &&
	       tcp_flags_are_valid(pkt->tcp_flags) && socket_is_connected(pkt);
}

/* An admitted packet that belongs to no flow yet. */
static __always_inline int open_flow(struct pkt *pkt, struct verdict *v, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	int r = admit_opening(pkt);

	if (r == TP_R_invalid && goes_on_here(pkt, v))
		v->mid_flow = true;
	else if (r != GO_ON)
		return r;
	if (!v->out_side)
		return open_local(pkt, v);
	if (pkt->ttl <= 1)
		return pkt->ttl ? TP_R_ttl_exceeded : TP_R_malformed;
	if (v->out_side == TP_SIDE_TUNNEL)
		r = open_to_tunnel(pkt, v);
	else
		r = open_to_lan(pkt, v, ingress);
	return s && stack_may_finish(pkt, &s->forward, r) ? finish_by_stack(pkt, &s->forward, r)
							  : r;
}

#endif
