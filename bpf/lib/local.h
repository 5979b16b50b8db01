/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the mesh must not take from this machine's LANs. Rows of routes are as old as the last
 * apply; the kernel's routing table is not. So it is asked before a flow is led into the tunnel,
 * once a second while it goes there, and before a LAN's packet is refused for its addresses: what
 * the kernel leads elsewhere is the stack's, as if there were no row.
 */
#ifndef BPF_LIB_LOCAL_H
#define BPF_LIB_LOCAL_H

#include "lib/flow.h"
#include "lib/forward.h"
#include "lib/lan.h"
#include "lib/maps.h"
#include "lib/route.h"

/* The device that the kernel would send to dst by; 0: by none, or not without the stack. */
static __noinline __u32 local_way(struct pkt *pkt, const struct tp_addr *src,
				  const struct tp_addr *dst, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	long answer;

	if (!pkt || !src || !dst || !s)
		return 0;
	answer = route_lookup(pkt, src, dst, ingress, 0, FIB_TELL_MTU, &s->fib);
	/* a device without neighbours has one only after the stack has used it: both are its way */
	if (answer != BPF_FIB_LKUP_RET_SUCCESS && answer != BPF_FIB_LKUP_RET_NO_NEIGH)
		return 0;
	return s->fib.ifindex;
}

/* A row says that dst is the mesh's. Whether the kernel says so too. */
static __always_inline bool local_agrees(struct pkt *pkt, const struct tp_addr *dst, __u32 ingress)
{
	return local_way(pkt, &pkt->key.src, dst, ingress) == pkt->tunnel_ifindex;
}

/* Where it does not: a LAN has the address, and no grant is for what comes out of the tunnel. */
static __always_inline int local_reason(const struct pkt *pkt)
{
	return pkt->key.side == TP_SIDE_LAN ? TP_R_not_ours : TP_R_no_route;
}

/*
 * A LAN's packet whose source is the mesh's by a row. That is the LAN's own all the same if the
 * kernel would answer by the device that it came by.
 */
static __always_inline bool local_is_source(struct pkt *pkt, __u32 ingress)
{
	return local_way(pkt, &pkt->key.dst, &pkt->key.src, ingress) == ingress;
}

/* Whether the LAN keeps a packet that rows would have us refuse, or send into the tunnel. */
static __noinline bool local_keeps(struct pkt *pkt, __u32 ingress)
{
	const struct tp_route *dst;

	if (!pkt || !pkt->has_addrs || scope_is_martian(pkt))
		return false; /* no martian is anybody's own */
	if (lan_is_spoofed(pkt))
		return local_is_source(pkt, ingress);
	dst = route_find(pkt->generation, &pkt->key.dst);
	return dst && (dst->kind == TP_ROUTE_MESH || dst->kind == TP_ROUTE_SERVICE) &&
	       !local_agrees(pkt, &pkt->key.dst, ingress);
}

/*
 * A known flow into the tunnel: looked at again when the next hop of another one would be. GO_ON,
 * or why the packet leaves it. The flow stays: the tunnel's device may just be made anew, and then
 * the kernel's route comes back. What answers somebody in the mesh goes to whom it came from.
 */
static __always_inline int local_check(struct pkt *pkt, struct tp_flow *flow, struct tp_flow *entry,
				       __u32 ingress)
{
	if (!(flow->flags & TP_FLOW_L3_OUT) || next_hop_is_fresh(pkt, flow))
		return GO_ON;
	if (!local_agrees(pkt, &flow->dst, ingress))
		return local_reason(pkt);
	flow->checked = (__u32)pkt->now;
	next_hop_note(entry, flow);
	return GO_ON;
}

#endif
