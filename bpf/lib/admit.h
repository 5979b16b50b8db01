/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * May this flow be, and how is it carried? A function of the opener's key, the generation, the time
 * and whether LANs are judged, so that a known flow can be judged again when the policy changes.
 */
#ifndef BPF_LIB_ADMIT_H
#define BPF_LIB_ADMIT_H

#include "lib/count.h"
#include "lib/parse.h"
#include "lib/pkt.h"
#include "lib/policy.h"
#include "lib/route.h"

struct admit_at {
	__u64 generation;
	__u64 now;
	bool lan_judged; /* the opener's LAN device is one whose LAN-to-LAN traffic is judged */
};

static __always_inline bool route_is_mesh_source(const struct tp_route *route)
{
	return (route->kind == TP_ROUTE_MESH || route->kind == TP_ROUTE_SELF ||
		route->kind == TP_ROUTE_SERVICE) &&
	       !(route->flags & TP_ROUTE_EXIT);
}

/* Toward a member: its peer, MTU and expiry. */
static __always_inline int admit_member(const struct tp_route *route, const struct admit_at *at,
					struct verdict *v)
{
	v->peer[1] = route->peer;
	v->route = route->id;
	v->mtu = route->mtu;
	v->out_side = TP_SIDE_TUNNEL;
	if (route->expires_at && (!v->expires_at || route->expires_at < v->expires_at))
		v->expires_at = route->expires_at; /* of two members the earlier */
	return route_is_expired(route, at->now) ? TP_R_peer_expired : GO_ON;
}

/* Toward a prefix that this node advertises. */
static __always_inline void admit_to_lan(const struct tp_route *route, struct verdict *v)
{
	v->out_side = TP_SIDE_LAN;
	v->route = route->id;
	v->snat = route->snat;
	v->snat_addr = route->snat_addr;
	v->local_vip = !!(route->flags & TP_ROUTE_LOCAL_VIP);
}

/* From the tunnel: only a member's own address or a route that it carries may be the source. */
static __always_inline int admit_tunnel(const struct tp_flow_key *key, const struct admit_at *at,
					struct verdict *v)
{
	const struct tp_route *src = route_find(at->generation, &key->src);
	const struct tp_route *dst;

	if (!src || src->kind != TP_ROUTE_MESH)
		return TP_R_spoof;
	v->src_class = src->src_class;
	v->peer[0] = src->peer;
	v->back_mtu = src->mtu;
	v->expires_at = src->expires_at;
	if (route_is_expired(src, at->now))
		return TP_R_peer_expired;

	dst = route_find(at->generation, &key->dst);
	if (!dst)
		return TP_R_no_route;
	v->dst_class = dst->dst_class;
	if (dst->kind == TP_ROUTE_MESH)
		return admit_member(dst, at, v);
	if (dst->kind == TP_ROUTE_BROADCAST)
		return TP_R_no_route; /* whoever listens is meant: scope_is_beyond_grants */
	if (dst->kind == TP_ROUTE_LAN)
		admit_to_lan(dst, v);
	v->to_service = dst->kind == TP_ROUTE_SERVICE;
	return GO_ON; /* SELF and HOST: out_side stays 0, it ends here */
}

/* Where to a LAN's packet is ours to judge; the route may be NULL. */
static __always_inline bool lan_route_is_ours(const struct tp_route *dst, bool lan_judged)
{
	if (!dst || (dst->flags & TP_ROUTE_EXIT))
		return false;
	return dst->kind == TP_ROUTE_MESH || dst->kind == TP_ROUTE_SELF ||
	       dst->kind == TP_ROUTE_SERVICE || (dst->kind == TP_ROUTE_LAN && lan_judged);
}

/* From a LAN device: what goes to the mesh is ours and, where it is judged, to another LAN. */
static __always_inline int admit_lan(const struct tp_flow_key *key, const struct admit_at *at,
				     struct verdict *v)
{
	const struct tp_route *src = route_find(at->generation, &key->src);
	__u8 from = src ? src->kind : TP_ROUTE_NONE; /* once: the verifier must see it is no NULL */
	const struct tp_route *dst;

	if (src && route_is_mesh_source(src))
		return TP_R_spoof;

	dst = route_find(at->generation, &key->dst);
	if (!dst || !lan_route_is_ours(dst, at->lan_judged))
		return TP_R_not_ours;
	if (from == TP_ROUTE_HOST) /* this machine's own address */
		return TP_R_spoof;
	if (from == TP_ROUTE_BROADCAST)
		return TP_R_martian;
	v->dst_class = dst->dst_class;
	if (src)
		v->src_class = src->src_class;
	if (dst->kind == TP_ROUTE_MESH)
		return admit_member(dst, at, v);
	if (dst->kind == TP_ROUTE_LAN)
		admit_to_lan(dst, v);
	v->to_service = dst->kind == TP_ROUTE_SERVICE;
	return GO_ON; /* SELF: it ends here */
}

/* The grants' own verdict, and what `"enforce": "log"` makes of it. Nothing else is softened. */
static __always_inline int admit_by_grants(const struct tp_flow_key *key, __u64 generation,
					   struct verdict *v)
{
	int r = policy_judge(key, generation, v->src_class, v->dst_class, &v->rule);

	if (r != TP_R_acl || !policy_only_logs(generation))
		return r;
	v->logged = true;
	return GO_ON;
}

/* GO_ON with *v filled, or why not. */
__noinline int admit(const struct tp_flow_key *key, const struct admit_at *at, struct verdict *v)
{
	int r;

	if (!key || !at || !v)
		return TP_R_internal;

	__builtin_memset(v, 0, sizeof(*v));
	v->rule = TP_RULE_NONE;
	v->src_class = v->dst_class = TP_CLASS_UNTOLD;
	if (!at->generation)
		return key->side == TP_SIDE_TUNNEL ? TP_R_no_policy : TP_R_not_ours;

	r = key->side == TP_SIDE_TUNNEL ? admit_tunnel(key, at, v) : admit_lan(key, at, v);
	if (r != GO_ON)
		return r;
	return admit_by_grants(key, at->generation, v);
}

/* Through the tunnel it leaves as this node's own: its answers must come back to who translates. */
static __always_inline int admit_as_node(const struct tp_addr *backend, __u32 tunnel,
					 struct verdict *v)
{
	const struct tp_device *device = device_find(tunnel, TP_DEV_TUNNEL);

	if (!device)
		return TP_R_internal;
	v->snat = TP_SNAT_ADDRESS;
	v->snat_addr = addr_is_mapped(backend) ? device->addr4 : device->addr6;
	return addr_is_none(&v->snat_addr) ? TP_R_nat_no_address : GO_ON;
}

/*
 * An address of this machine. Only members are served by it: what it answers them leaves by the
 * tunnel, where all that it sends is looked at, and on a LAN nothing of that is.
 */
static __always_inline bool admit_is_own(const struct tp_route *row)
{
	return row->kind == TP_ROUTE_SELF || row->kind == TP_ROUTE_HOST ||
	       (row->flags & TP_ROUTE_OWN);
}

/*
 * Admitted to a service: how it is carried to this backend. By no route of the mesh it goes where
 * the kernel leads, and answers come back only to an address of this machine. So it is with one
 * LAN's host toward another or its own, whatever the route says: they know each other.
 */
__noinline int admit_backend(const struct tp_addr *backend, const struct admit_at *at,
			     struct verdict *v, __u8 came_by, __u32 tunnel)
{
	const struct tp_route *route;
	int r;

	if (!backend || !at || !v)
		return TP_R_internal;
	route = route_row(at->generation, backend);
	if (route && admit_is_own(route)) {
		v->out_side = TP_SIDE_OWN;
		return came_by == TP_SIDE_TUNNEL ? GO_ON : TP_R_no_route;
	}
	if (!route || route->kind == TP_ROUTE_NONE || (route->flags & TP_ROUTE_EXIT)) {
		v->out_side = TP_SIDE_LAN;
		v->snat = TP_SNAT_MASQUERADE;
		return GO_ON;
	}
	if (route->kind == TP_ROUTE_MESH) {
		r = admit_member(route, at, v);
		return r == GO_ON ? admit_as_node(backend, tunnel, v) : r;
	}
	if (route->kind != TP_ROUTE_LAN)
		return TP_R_no_route; /* no host's */
	admit_to_lan(route, v);
	if (v->snat == TP_SNAT_NONE && came_by == TP_SIDE_LAN)
		v->snat = TP_SNAT_MASQUERADE;
	return GO_ON;
}

/* For the flow: what it owes it to that it may be. */
static __always_inline __u32 admitted_by(const struct verdict *v)
{
	return v->logged ? TP_RULE_LOGGED : v->rule;
}

/* What the grants refuse, whether it goes on or not. r: what admit returned. */
static __always_inline void count_refusal(const struct pkt *pkt, int r, const struct verdict *v)
{
	if (v->logged)
		count_flow(FLOW_WOULD_REFUSE);
	if ((v->logged || r == TP_R_acl) && v->rule != TP_RULE_NONE)
		count_rule(pkt->generation, v->rule, pkt->len);
}

/* What may open a flow, policy aside: TCP begins with SYN, ICMP with a query. */
static __always_inline int admit_opening(const struct pkt *pkt)
{
	if (pkt->key.proto == IPPROTO_TCP &&
	    (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return TP_R_invalid;
	if (proto_is_icmp(pkt) && !icmp_is_query(pkt))
		return TP_R_icmp_unrelated;
	return GO_ON;
}

#endif
