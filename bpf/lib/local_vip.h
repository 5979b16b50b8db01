/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Local VIPs. While another machine of the LAN answers for one, a packet from the mesh goes there
 * as to any host. When nobody does, a load balancer of this machine itself announces the address,
 * and its programs sit where the LAN's packets come in. Sent out, the packet would ask for a
 * neighbour who is us, and we do not answer ourselves. So it is handed over: it comes in by the LAN
 * device as if from there, source and TTL as they are, and what the load balancer makes of it is
 * its business, as with any LAN client's. Answers belong to the same flow, whichever way they come:
 * through the stack, met on their way out of the tunnel's device, or by the LAN device, when the
 * load balancer has put the address back before our program there.
 */
#ifndef BPF_LIB_LOCAL_VIP_H
#define BPF_LIB_LOCAL_VIP_H

#include <towpath/local_vip.h>

#include "lib/hand_over.h"
#include "lib/lan.h"
#include "lib/open.h"

/* programs insert what they meet; user tells where it is, and takes out what is out of use */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_LOCAL_VIP_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_addr);
	__type(value, struct tp_local_vip);
} tp_local_vips SEC(".maps");

/*
 * Nobody on the LAN answers for the address. One that was not asked for yet is noted, and goes
 * to the LAN, as one does that there is no room for.
 */
static __noinline bool local_vip_is_here(const struct pkt *pkt, const struct tp_addr *addr)
{
	struct tp_local_vip met = {};
	struct tp_local_vip *vip;

	if (!pkt || !addr)
		return false;
	vip = bpf_map_lookup_elem(&tp_local_vips, addr);
	if (!vip) {
		met.used = pkt->now;
		bpf_map_update_elem(&tp_local_vips, addr, &met, BPF_NOEXIST);
		return false;
	}
	if (pkt->now - vip->used >= pkt->limits->second)
		vip->used = pkt->now;
	return vip->where == TP_VIP_HERE;
}

static __always_inline bool route_has_local_vips(const struct tp_route *route)
{
	return route && route->kind == TP_ROUTE_LAN && (route->flags & TP_ROUTE_LOCAL_VIP);
}

/* A new flow to the verdict's destination is one to be handed over. */
static __always_inline bool is_to_local_vip(const struct pkt *pkt, const struct verdict *v)
{
	return v->local_vip && pkt->key.side == TP_SIDE_TUNNEL &&
	       local_vip_is_here(pkt, &pkt->key.dst);
}

/* r: of next_hop_set. Nothing that comes in is too large for its device. */
static __always_inline int hand_over_set(struct tp_flow *flow, int r)
{
	if (r != GO_ON && r != TP_R_too_big)
		return r;
	flow->mtu = 0;
	/* without a neighbour, no packet of it is the fast program's */
	flow->flags |= TP_FLOW_HANDED | TP_FLOW_NEIGH;
	return GO_ON;
}

/* Which LAN device it is comes from the kernel's route, as for a host of the LAN. */
static __noinline int open_to_local_vip(struct pkt *pkt, const struct verdict *v, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	long answer;
	int r;

	if (!pkt || !v || !s)
		return TP_R_internal;
	r = admit_opening(pkt);
	if (r != GO_ON)
		return r;
	if (!pkt->ttl)
		return TP_R_malformed;
	scratch_start(pkt, s);
	answer = route_next_hop(pkt, &pkt->key.src, &pkt->key.dst, ingress, &s->fib);
	r = hand_over_set(&s->forward, next_hop_set(pkt, &s->forward, &s->fib, answer));
	if (r == GO_ON)
		r = open_both(pkt, s, v);
	return r == GO_ON ? hand_over(pkt, &s->forward) : r;
}

/* Once a second: the kernel still leads there by the same device. flow: a copy of entry. */
static __always_inline bool hand_over_is_current(struct pkt *pkt, struct tp_flow *flow,
						 struct tp_flow *entry, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	long answer;

	if ((__u32)pkt->now - flow->checked <= (__u32)pkt->limits->second)
		return true;
	if (!s)
		return false;
	answer = route_next_hop(pkt, &pkt->key.src, &flow->dst, ingress, &s->fib);
	if (fib_reason(answer) != GO_ON || s->fib.ifindex != flow->ifindex)
		return false;
	flow->checked = (__u32)pkt->now;
	next_hop_note(entry, flow);
	return true;
}

/*
 * Whether a known flow goes where its destination is by now. If not, it is of no use: who answers
 * for the address has never heard of it. A LAN's packet to a service may be for such an address,
 * too, but is never handed over (serve_admit).
 */
static __noinline bool local_vip_is_current(struct pkt *pkt, struct tp_flow *flow,
					    struct tp_flow *entry, __u32 ingress)
{
	bool handed, here;

	if (!pkt || !flow || !entry)
		return true;
	if (flow->flags & (TP_FLOW_REPLY | TP_FLOW_LOCAL))
		return true;
	if (pkt->key.side != TP_SIDE_TUNNEL && !(flow->flags & TP_FLOW_DST_NAT))
		return true;
	handed = flow->flags & TP_FLOW_HANDED;
	here = route_has_local_vips(route_find(pkt->generation, &flow->dst)) &&
	       local_vip_is_here(pkt, &flow->dst);
	return here == handed && (!handed || hand_over_is_current(pkt, flow, entry, ingress));
}

static __always_inline int hand_over_known(struct pkt *pkt, const struct tp_flow *flow,
					   struct tp_flow_state *state)
{
	bool served = flow->flags & TP_FLOW_DST_NAT;

	if (!pkt->ttl)
		return TP_R_malformed;
	if (served && pkt->options)
		return TP_R_nat_options;
	if (served && pkt->ttl <= 1) /* the stack would name the backend */
		return answered_by(pkt, flow, TP_R_ttl_exceeded);
	flow_touch(pkt, state, false);
	return hand_over(pkt, flow);
}

/*
 * On its way out of the LAN device that it was handed to, as it was: the load balancer knows
 * nothing of it, and another machine has begun to answer for the address. It would get the packet
 * with a mesh source; the next one goes there translated.
 */
static __always_inline bool was_handed_in_vain(const struct pkt *pkt)
{
	return pkt->has_addrs && lan_is_spoofed(pkt) &&
	       route_has_local_vips(route_find(pkt->generation, &pkt->key.dst));
}

#endif
