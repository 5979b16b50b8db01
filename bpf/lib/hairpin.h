/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From one member to the outside address and port of another one (RFC 4787 REQ-9, RFC 5382 REQ-8).
 * It is sent on through the tunnel with both ends translated, so that the second member sees
 * the first one's outside address and port, and answers there.
 *
 * Who may open one? Answers to a mapping are let in by address and port, and by that rule alone
 * the second member had to send to the first one's outside port before. But it has a name that the
 * policy knows: it is judged as what it is, a flow between two members, and a mapping gives
 * nobody a right that the grants do not.
 */
#ifndef BPF_LIB_HAIRPIN_H
#define BPF_LIB_HAIRPIN_H

#include "lib/nat.h"
#include "lib/open.h"

/* Whether the destination stands for a member; then scratch->inner is what was meant. */
static __noinline bool hairpin_find(struct pkt *pkt)
{
	struct tp_scratch *s = scratch_find();
	const struct tp_nat_in *mapping;
	const struct tp_route *inside;
	__u64 users;

	if (!pkt || !s || pkt->key.side != TP_SIDE_TUNNEL ||
	    (pkt->key.proto != IPPROTO_TCP && pkt->key.proto != IPPROTO_UDP) ||
	    !nat_port_in_range(pkt->limits, bpf_ntohs(pkt->key.dport)))
		return false;
	s->nat_in_key.outside = pkt->key.dst;
	s->nat_in_key.port = pkt->key.dport;
	s->nat_in_key.proto = pkt->key.proto;
	s->nat_in_key.pad = 0;
	mapping = bpf_map_lookup_elem(&tp_nat_in, &s->nat_in_key);
	if (!mapping)
		return false;

	users = nat_users(mapping);
	s->hairpin = nat_id(users);
	s->inner = pkt->key;
	s->inner.dst = mapping->inside;
	s->inner.dport = mapping->port;
	if (users & NAT_GONE) /* a retired one's port is this machine's again */
		return false;
	inside = route_find(pkt->generation, &s->inner.dst);
	return inside && inside->kind == TP_ROUTE_MESH; /* not one LAN's host toward another LAN */
}

/* Holds the mapping of the destination, which must be the one that was judged. */
static __always_inline bool hairpin_hold(struct pkt *pkt, struct tp_scratch *s)
{
	struct tp_nat_in *mapping;

	s->nat_in_key.outside = pkt->key.dst;
	s->nat_in_key.port = pkt->key.dport;
	s->nat_in_key.proto = pkt->key.proto;
	s->nat_in_key.pad = 0;
	mapping = bpf_map_lookup_elem(&tp_nat_in, &s->nat_in_key);
	if (!mapping || !nat_take(mapping, s->hairpin))
		return false;
	s->mapping[1] = s->hairpin;
	return true;
}

static __always_inline int hairpin_translate(struct pkt *pkt, struct tp_scratch *s)
{
	int r;

	s->nat_out_key.outside = pkt->key.dst;
	r = snat_bind(pkt, s, false);
	if (r == GO_ON && !hairpin_hold(pkt, s)) {
		nat_release(&s->forward.src, s->forward.sport, pkt->key.proto, s->mapping[0]);
		r = TP_R_no_route; /* it has gone in this very moment */
	}
	return r;
}

/* Admitted as scratch->inner. */
static __noinline int open_hairpin(struct pkt *pkt, const struct verdict *v)
{
	struct tp_scratch *s = scratch_find();
	int r;

	if (!s)
		return TP_R_internal;
	if (pkt->options)
		return TP_R_nat_options;
	/* to oneself, from the very socket: both directions would be the same flow */
	if (addr_same(&s->inner.src, &s->inner.dst) && s->inner.sport == s->inner.dport)
		return TP_R_martian;

	scratch_start(pkt, s);
	s->forward.dst = s->inner.dst;
	s->forward.dport = s->inner.dport;
	s->forward.ifindex = pkt->tunnel_ifindex;
	s->forward.mtu = tunnel_mtu(pkt, v->mtu);
	s->forward.flags = TP_FLOW_L3_OUT | TP_FLOW_DST_NAT;
	s->forward.checked = (__u32)pkt->now;
	if (pkt->ttl <= 1)
		return pkt->ttl ? answered_by(pkt, &s->forward, TP_R_ttl_exceeded) : TP_R_malformed;
	if (is_too_big(pkt, s->forward.mtu))
		return answered_by(pkt, &s->forward, TP_R_too_big);
	r = hairpin_translate(pkt, s);
	if (r != GO_ON)
		return r;
	r = open_both(pkt, s, v);
	return r == GO_ON ? send_direct(pkt, &s->forward) : r;
}

#endif
