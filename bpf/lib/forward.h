/* SPDX-License-Identifier: GPL-2.0-only */
/* From a decision to a packet on its way: next hop, rewrite, redirect. */
#ifndef BPF_LIB_FORWARD_H
#define BPF_LIB_FORWARD_H

#include "lib/flow.h"
#include "lib/mss.h"
#include "lib/rewrite.h"
#include "lib/route.h"

/*
 * The packet against the next link; of a GSO packet what its segments will be there. They fit the
 * link they came by, which may carry more, and the kernel does not look again after a redirect.
 */
static __always_inline bool is_too_big(const struct pkt *pkt, __u32 mtu)
{
	__u32 gso_size = hook_gso_size(pkt);

	if (!mtu || pkt->len <= mtu)
		return false;
	return !gso_size || pkt->headers + gso_size > mtu;
}

/* The tunnel's MTU toward the member at its end of the flow; a SYN is worth the lookups. */
static __always_inline __u32 member_mtu(const struct pkt *pkt, const struct tp_flow *flow)
{
	bool from_member = pkt->key.side == TP_SIDE_TUNNEL;
	const struct tp_route *route =
		route_find(pkt->generation, from_member ? &pkt->key.src : &flow->dst);

	return tunnel_mtu(pkt, route ? route->mtu : 0);
}

static __always_inline bool uses_tunnel(const struct pkt *pkt, const struct tp_flow *flow)
{
	return pkt->key.side == TP_SIDE_TUNNEL || (flow->flags & TP_FLOW_L3_OUT);
}

/* From a LAN, an answer that gets a service's address for its source. */
static __always_inline bool is_service_answer(const struct pkt *pkt, const struct tp_flow *flow)
{
	const __u16 answer = TP_FLOW_REPLY | TP_FLOW_L3_OUT | TP_FLOW_SRC_NAT;

	return pkt->key.side == TP_SIDE_LAN && (flow->flags & answer) == answer;
}

/*
 * Both ends are translated, and one of them to an address of this machine: a hairpin, or the way
 * to a service. A service's answer has no such end when it leaves.
 */
static __always_inline bool is_hairpin(const struct pkt *pkt, const struct tp_flow *flow)
{
	return (flow->flags & TP_FLOW_SRC_NAT) && (flow->flags & TP_FLOW_DST_NAT) &&
	       !is_service_answer(pkt, flow);
}

/*
 * What the sender must be told, or GO_ON. A hairpin is never split: the stack cannot see both of
 * its translations. A sender that hears of it, asked for or not, splits what comes next by itself.
 */
static __always_inline int answer_reason(const struct pkt *pkt, const struct tp_flow *flow)
{
	if (pkt->ttl <= 1)
		return TP_R_ttl_exceeded;
	return (pkt->whole || is_hairpin(pkt, flow)) && is_too_big(pkt, flow->mtu) ? TP_R_too_big
										   : GO_ON;
}

/* Whether the stack can do something about a reason that the packet did not go on for. */
static __always_inline bool stack_may_finish(const struct pkt *pkt, const struct tp_flow *flow,
					     int reason)
{
	return reason == TP_R_ip_options ||
	       (reason == TP_R_too_big && !pkt->whole && !is_hairpin(pkt, flow));
}

/* What the stack must finish the packet for, or GO_ON. */
static __always_inline int stack_reason(const struct pkt *pkt, __u32 mtu)
{
	if (pkt->options)
		return TP_R_ip_options;
	return is_too_big(pkt, mtu) ? TP_R_too_big : GO_ON;
}

/*
 * The stack must finish the packet (options, fragments). What must not leave with a client's
 * address gets another when the stack is done, in egress.h. But of a hairpin both addresses change:
 * with the outside one of the member that it goes to the stack would take it for this machine's
 * own, and with the inside one nothing on its way out tells which flow it is of. What was sent to
 * our SNAT address goes there with its translation undone, or would be taken for our own too, and
 * what answers for a service with its address, by which it is known on its way out.
 */
static __noinline int finish_by_stack(struct pkt *pkt, struct tp_flow *flow, int reason)
{
	int r = GO_ON;

	if (is_hairpin(pkt, flow))
		return TP_R_nat_options;
	if ((flow->flags & TP_FLOW_DST_NAT) || is_service_answer(pkt, flow))
		r = rewrite_tuple(pkt, flow);
	if (r == GO_ON && pkt->mss && uses_tunnel(pkt, flow))
		r = mss_clamp(pkt, member_mtu(pkt, flow));
	return r == GO_ON ? reason : TP_R_rewrite;
}

/* Untagged, translated, its MSS clamped and with a lower TTL: ready for a link. */
static __always_inline int prepare(struct pkt *pkt, const struct tp_flow *flow)
{
	int r = hook_untag(pkt) ? TP_R_rewrite : GO_ON;

	if (r == GO_ON && (flow->flags & (TP_FLOW_SRC_NAT | TP_FLOW_DST_NAT)))
		r = rewrite_tuple(pkt, flow);
	if (r == GO_ON && pkt->mss && uses_tunnel(pkt, flow))
		r = mss_clamp(pkt, member_mtu(pkt, flow));
	if (r == GO_ON)
		r = rewrite_ttl(pkt);
	return r;
}

/* To the stack as this machine's own: as it came, or to the backend that this machine is. */
static __always_inline int deliver(struct pkt *pkt, const struct tp_flow *flow)
{
	int r = flow->flags & TP_FLOW_DST_NAT ? rewrite_tuple(pkt, flow) : GO_ON;

	return r == GO_ON ? TP_R_deliver : r;
}

static __always_inline int send_direct(struct pkt *pkt, const struct tp_flow *flow)
{
	int r = prepare(pkt, flow);
	__u32 ifindex;

	if (r != GO_ON)
		return r;
	if (!(flow->flags & TP_FLOW_L3_OUT) &&
	    (hook_push_ethernet(pkt) || hook_set_macs(pkt, flow->dmac, flow->smac)))
		return TP_R_rewrite;
	/* the tunnel as it is now: its device may have been made anew since the flow began */
	ifindex = flow->flags & TP_FLOW_L3_OUT ? pkt->tunnel_ifindex : flow->ifindex;
	if (hook_redirect(pkt, ifindex) != HOOK_REDIRECT)
		return TP_R_rewrite;
	return TP_R_forward;
}

static __always_inline int send_neigh(struct pkt *pkt, const struct tp_flow *flow,
				      const struct bpf_fib_lookup *fib)
{
	struct bpf_redir_neigh next_hop;
	int r = prepare(pkt, flow);

	if (r != GO_ON)
		return r;
	if (hook_push_ethernet(pkt))
		return TP_R_rewrite;
	route_gateway(fib, &next_hop);
	if (hook_redirect_neigh(pkt, flow->ifindex, &next_hop) != HOOK_REDIRECT)
		return TP_R_rewrite;
	return TP_R_forward_neigh;
}

/*
 * What fib found, into the flow. The device must be one of ours: answers have to pass us. The
 * lookup leaves the comparison with the MTU to us. TP_R_too_big leaves a next hop for those that
 * fit, and for what the stack cuts up.
 */
static __always_inline int next_hop_set(struct pkt *pkt, struct tp_flow *flow,
					const struct bpf_fib_lookup *fib, long answer)
{
	struct tp_device *device;
	int r = fib_reason(answer);

	if (r != GO_ON)
		return r;
	device = device_find(fib->ifindex, TP_DEV_LAN);
	if (!device)
		return TP_R_no_route;

	flow->ifindex = fib->ifindex;
	flow->mtu = device->mtu;
	if (fib->mtu_result && fib->mtu_result < flow->mtu)
		flow->mtu = fib->mtu_result;
	flow->checked = (__u32)pkt->now;
	flow->flags &= ~(TP_FLOW_NEIGH | TP_FLOW_XDP);
	if (answer == BPF_FIB_LKUP_RET_NO_NEIGH)
		flow->flags |= TP_FLOW_NEIGH;
	else if (device->flags & TP_DEV_XDP_NATIVE)
		flow->flags |= TP_FLOW_XDP;
	__builtin_memcpy(flow->dmac, fib->dmac, sizeof(flow->dmac));
	__builtin_memcpy(flow->smac, fib->smac, sizeof(flow->smac));
	return is_too_big(pkt, flow->mtu) ? TP_R_too_big : GO_ON;
}

static __always_inline bool next_hop_is_fresh(const struct pkt *pkt, const struct tp_flow *flow)
{
	const __u16 answer = TP_FLOW_L3_OUT | TP_FLOW_REPLY;

	/* into the tunnel it goes to whom it answers: WireGuard chooses the peer by address */
	if ((flow->flags & answer) == answer)
		return true;
	return !(flow->flags & TP_FLOW_NEIGH) &&
	       (__u32)pkt->now - flow->checked <= (__u32)pkt->limits->second;
}

/* Into the table, unless the flow has died, and its entry is another's, since it was copied. */
static __always_inline void next_hop_note(struct tp_flow *entry, const struct tp_flow *flow)
{
	__u32 slot = flow->slot;
	const struct tp_flow_state *state = bpf_map_lookup_elem(&tp_flow_state, &slot);

	if (!state || state->gen != flow->slot_gen)
		return;
	entry->ifindex = flow->ifindex;
	entry->mtu = flow->mtu;
	entry->flags = flow->flags;
	__builtin_memcpy(entry->dmac, flow->dmac, sizeof(entry->dmac));
	__builtin_memcpy(entry->smac, flow->smac, sizeof(entry->smac));
	entry->checked = flow->checked;
}

/* Looks the next hop up again: GO_ON, with what the kernel said in the scratch, or why not. */
static __noinline int next_hop_renew(struct pkt *pkt, struct tp_flow *flow, struct tp_flow *entry,
				     __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	long answer;
	int r;

	if (!s)
		return TP_R_internal;
	answer = route_next_hop(pkt, &pkt->key.src, &flow->dst, ingress, &s->fib);
	r = next_hop_set(pkt, flow, &s->fib, answer);
	if (r == GO_ON || r == TP_R_too_big) /* whoever answers must know the MTU */
		next_hop_note(entry, flow);
	return r;
}

/*
 * Whether the stack must not be asked to refuse a packet. What was sent to one of our addresses it
 * would take for its own. And it may send on what we find too large: IPv4 does not go by the MTUs
 * that it has learned, when it forwards. From one LAN device to another nobody translates that.
 * What exceeds the MTU of the device it does refuse, from an address of its own.
 */
static __always_inline bool we_answer(const struct pkt *pkt, const struct tp_flow *flow, int reason)
{
	const struct tp_device *device;

	if (flow->flags & TP_FLOW_DST_NAT)
		return true;
	if (!(flow->flags & TP_FLOW_SRC_NAT) || reason != TP_R_too_big ||
	    pkt->key.side != TP_SIDE_LAN)
		return false;
	device = device_find(flow->ifindex, TP_DEV_LAN);
	return device && !is_too_big(pkt, device->mtu);
}

/* Whether it does send on, or may, what only the route is too narrow for. */
static __always_inline bool stack_may_send_on(const struct pkt *pkt, const struct tp_flow *flow)
{
	const struct tp_device *device = device_find(flow->ifindex, TP_DEV_LAN);

	return device && !is_too_big(pkt, device->mtu) && !we_answer(pkt, flow, TP_R_too_big);
}

/* TTL or size: the stack tells the sender or, where it cannot, answer.h. */
static __always_inline int answered_by(const struct pkt *pkt, const struct tp_flow *flow,
				       int reason)
{
	struct tp_scratch *s = scratch_find();

	if (!s || !we_answer(pkt, flow, reason))
		return reason;
	s->answer_mtu = reason == TP_R_too_big ? flow->mtu : 0;
	s->answer_out = flow->flags & TP_FLOW_DST_NAT ? 0 : flow->ifindex;
	return GO_ANSWER;
}

/* GO_ON: to be sent, or why not. fresh: the next hop needs no second look. */
static __always_inline int known_reason(struct pkt *pkt, struct tp_flow *flow,
					struct tp_flow *entry, __u32 ingress, bool fresh)
{
	int r = answer_reason(pkt, flow);

	if (r == GO_ON)
		r = stack_reason(pkt, flow->mtu);
	return r == GO_ON && !fresh ? next_hop_renew(pkt, flow, entry, ingress) : r;
}

/* Whether the packet goes on all the same. One that does not must not count for its flow. */
static __always_inline bool goes_on_by_stack(const struct pkt *pkt, const struct tp_flow *flow,
					     int reason)
{
	if (stack_may_finish(pkt, flow, reason))
		return !is_hairpin(pkt, flow);
	return reason == TP_R_too_big && stack_may_send_on(pkt, flow);
}

/*
 * By a next hop that was looked up just now it goes through the kernel's neighbour table, so that
 * the kernel keeps confirming the neighbour that later packets use directly.
 */
static __always_inline int send_known(struct pkt *pkt, const struct tp_flow *flow, bool fresh)
{
	struct tp_scratch *s = scratch_find();

	if (fresh)
		return send_direct(pkt, flow);
	return s ? send_neigh(pkt, flow, &s->fib) : TP_R_internal;
}

/*
 * An established flow's packet to this machine. That its backend is the service's was looked at
 * just now, which is noted as for a next hop. flow: a copy of entry.
 */
static __always_inline int deliver_known(struct pkt *pkt, struct tp_flow *flow,
					 struct tp_flow *entry, struct tp_flow_state *state)
{
	bool served = flow->flags & TP_FLOW_DST_NAT;

	if (served && pkt->options)
		return TP_R_nat_options;
	if (served && !next_hop_is_fresh(pkt, flow)) {
		flow->checked = (__u32)pkt->now;
		next_hop_note(entry, flow);
	}
	flow_touch(pkt, state, flow->flags & TP_FLOW_REPLY);
	return deliver(pkt, flow);
}

/* An established flow's packet, from lookup to redirect. flow: a copy of entry. */
static __always_inline int forward_known(struct pkt *pkt, struct tp_flow *flow,
					 struct tp_flow *entry, struct tp_flow_state *state,
					 __u32 ingress)
{
	bool fresh = next_hop_is_fresh(pkt, flow);
	int r;

	if (flow->flags & TP_FLOW_LOCAL)
		return deliver_known(pkt, flow, entry, state);
	if (!pkt->ttl)
		return TP_R_malformed; /* whatever it says, it came too far to be heard */
	r = known_reason(pkt, flow, entry, ingress, fresh);
	if (r == GO_ON || goes_on_by_stack(pkt, flow, r))
		flow_touch(pkt, state, flow->flags & TP_FLOW_REPLY);
	if (r == GO_ON)
		return send_known(pkt, flow, fresh);
	if (stack_may_finish(pkt, flow, r))
		return finish_by_stack(pkt, flow, r);
	if (r == TP_R_ttl_exceeded || r == TP_R_too_big)
		return answered_by(pkt, flow, r);
	return r;
}

#endif
