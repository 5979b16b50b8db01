/* SPDX-License-Identifier: GPL-2.0-only */
/* Which address a flow leaves with, and whether a known one still has the right one. */
#ifndef BPF_LIB_SNAT_H
#define BPF_LIB_SNAT_H

#include <linux/errno.h>

#include "lib/admit.h"
#include "lib/flow.h"
#include "lib/nat.h"
#include "lib/parse.h"
#include "lib/route.h"
#include "lib/slots.h"

/* A mesh address on a LAN would be answered by nobody, and says what is behind this router. */
static __always_inline bool snat_is_of_mesh(const struct pkt *pkt, const struct tp_addr *addr)
{
	const struct tp_route *route = route_find(pkt->generation, addr);

	return route && route_is_mesh_source(route);
}

/*
 * What the kernel itself would send from toward dst: it knows of an address change at once. Before
 * Linux 6.7 it does not tell, which is -EINVAL; then it is the address that apply saw on the
 * device. So it is where the kernel might name a temporary address.
 */
static __always_inline int snat_masquerade(struct pkt *pkt, const struct tp_addr *dst,
					   __u32 ingress, __u32 ifindex, struct tp_addr *out)
{
	const struct tp_device *device = device_find(ifindex, TP_DEV_LAN);
	struct tp_scratch *s = scratch_find();
	long answer;

	if (!s)
		return TP_R_internal;
	if (!device)
		return TP_R_no_route;
	*out = pkt->v6 ? device->addr6 : device->addr4;
	if (addr_is_none(out))
		return TP_R_nat_no_address;
	if (pkt->v6 && (device->flags & TP_DEV_KEEP_ADDR6))
		return GO_ON;

	answer = route_lookup(pkt, &pkt->key.src, dst, ingress, FIB_SOURCE | FIB_SKIP_NEIGH, 0,
			      &s->fib);
	if (answer == -EINVAL)
		return GO_ON;
	if (answer == FIB_NO_SOURCE)
		return TP_R_nat_no_address;
	/* "too big" comes last: all is filled in by then */
	if (answer != BPF_FIB_LKUP_RET_SUCCESS && answer != BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return TP_R_stack_route;
	if (!device_find(s->fib.ifindex, TP_DEV_LAN))
		return TP_R_no_route;
	if (pkt->v6)
		__builtin_memcpy(out, s->fib.ipv6_src, sizeof(*out));
	else
		addr_set_v4(out, s->fib.ipv4_src);
	return snat_is_of_mesh(pkt, out) ? TP_R_nat_no_address : GO_ON;
}

/* The address a LAN-bound flow leaves with, or why it cannot leave. */
static __noinline int snat_address(struct pkt *pkt, const struct verdict *v, __u32 ingress,
				   __u32 ifindex, struct tp_addr *out)
{
	struct tp_scratch *s = scratch_find();

	if (!pkt || !v || !out || !s)
		return TP_R_internal;
	if (!proto_is_translatable(pkt))
		return TP_R_nat_proto;
	if (v->snat == TP_SNAT_ADDRESS) {
		*out = v->snat_addr;
		return addr_is_mapped(out) == !pkt->v6 ? GO_ON : TP_R_nat_no_address;
	}
	return snat_masquerade(pkt, &s->forward.dst, ingress, ifindex, out);
}

/*
 * Source NAT of a new flow to the outside address in nat_out_key, into scratch->forward. alone: by
 * a mapping of its own.
 */
static __always_inline int snat_bind(struct pkt *pkt, struct tp_scratch *s, bool alone)
{
	struct nat_hold *hold = &s->hold;
	int r;

	if (pkt->authenticated) /* see rewrite_tuple; of IPv4 AH is a protocol without ports */
		return TP_R_nat_proto;
	s->nat_out_key.inside = pkt->key.src;
	s->nat_out_key.port = pkt->key.sport;
	s->nat_out_key.proto = pkt->key.proto;
	s->nat_out_key.pad = 0;
	r = alone ? nat_bind_alone(pkt->ctx, pkt->limits, hold)
		  : nat_bind(pkt->ctx, pkt->limits, hold);
	if (r != GO_ON) {
		flow_free_ports(pkt);
		return r;
	}

	s->mapping[0] = hold->id;
	s->forward.src = s->nat_out_key.outside;
	s->forward.sport = hold->port;
	if (proto_is_icmp(pkt)) /* the identifier is both */
		s->forward.dport = hold->port;
	s->forward.flags |= TP_FLOW_SRC_NAT;
	return GO_ON;
}

static __always_inline bool snat_holds_good_mapping(struct tp_scratch *s,
						    const struct tp_flow_state *state)
{
	const struct tp_flow_key *reply = &state->way[TP_ANSWERER].key;

	s->nat_in_key.outside = reply->dst;
	s->nat_in_key.port = reply->dport;
	s->nat_in_key.proto = reply->proto;
	s->nat_in_key.pad = 0;
	return nat_is_good(&s->nat_in_key, state->mapping[0]);
}

/*
 * Whether a known flow may go on from the address and port it has. Asked when a packet needs a
 * second look: once a second, and with a new policy. If not, the flow is of no use to anybody: no
 * answer comes to an address that is gone. flow: of the direction of the packet.
 */
static __noinline bool snat_is_current(struct pkt *pkt, const struct tp_flow *flow,
				       const struct tp_flow_state *state, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	struct tp_addr now;

	if (!pkt || !flow || !state || !s || !state->mapping[0])
		return true;
	if (!snat_holds_good_mapping(s, state))
		return false;
	if (state->snat != TP_SNAT_MASQUERADE || (flow->flags & TP_FLOW_REPLY))
		return true;
	/* what is wrong with the route itself is told by who looks up the next hop */
	if (snat_masquerade(pkt, &flow->dst, ingress, flow->ifindex, &now) != GO_ON)
		return true;
	return addr_same(&now, &flow->src);
}

#endif
