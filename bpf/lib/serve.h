/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets to a service's address: the first of a flow chooses a backend, the others follow it. The
 * grants have been asked about the service before, and are not asked about the backend. The
 * destination becomes the backend, and the source what brings its answers back here: so the client
 * sees the service alone, in answers and in errors.
 *
 * Every node serves all services to whoever sends to them through it: their addresses are at no
 * place in the mesh, and no packet to one leaves this machine as it came.
 */
#ifndef BPF_LIB_SERVE_H
#define BPF_LIB_SERVE_H

#include "lib/local.h"
#include "lib/local_vip.h"
#include "lib/open.h"
#include "lib/reset.h"
#include "lib/service.h"

/* What stays the same for one client, for choose_backend. */
static __always_inline __u64 client_of(const struct tp_addr *addr)
{
	const __u64 *words = (const void *)addr;

	return mixed(words[1] ^ mixed(words[0]));
}

/* key: of packets to the service */
static __always_inline const struct tp_service *service_of(const struct tp_flow_key *key)
{
	struct tp_service_key wanted = {
		.vip = key->dst,
		.port = key->dport,
		.protocol = key->proto,
	};

	return bpf_map_lookup_elem(&tp_services, &wanted);
}

static __always_inline const struct tp_backends *backends_of(const struct tp_service *service)
{
	__u32 row = service->backends;

	return bpf_map_lookup_elem(&tp_backends, &row);
}

/* Into scratch->inner, or why not. */
static __noinline int serve_choose(struct pkt *pkt)
{
	struct tp_scratch *s = scratch_find();
	const struct tp_backends *backends;
	const struct tp_service *service;
	__u32 index;

	if (!pkt || !s)
		return TP_R_internal;
	service = service_of(&pkt->key);
	backends = service ? backends_of(service) : NULL;
	if (!backends)
		return TP_R_no_service;
	index = choose_backend(service, backends, client_of(&pkt->key.src));
	if (index >= TP_BACKEND_MAX) {
		s->answer_mtu = reset_fits(pkt) ? ANSWER_REFUSED : ANSWER_NO_PORT;
		s->answer_out = 0;
		return GO_ANSWER;
	}
	s->inner = pkt->key;
	s->inner.dst = backends->addrs[index];
	s->inner.dport = service->target_port;
	return GO_ON;
}

/*
 * Admitted to the service, and now to that backend of it. One that a load balancer of this machine
 * announces is handed over as a local VIP is: verdict.local_vip says so from here on. It sees who
 * asks; so its answers to a member lead into the tunnel, where they become the service's, and those
 * to a LAN's host would lead past us.
 */
static __always_inline int serve_admit(struct pkt *pkt, struct tp_scratch *s)
{
	struct admit_at at = { .generation = pkt->generation, .now = pkt->now };
	struct verdict *v = &s->verdict;
	int r = admit_backend(&s->inner.dst, &at, v, pkt->key.side, pkt->tunnel_ifindex);

	if (r != GO_ON || !v->local_vip)
		return r;
	v->local_vip = local_vip_is_here(pkt, &s->inner.dst);
	if (!v->local_vip)
		return GO_ON;
	v->snat = TP_SNAT_NONE;
	return pkt->key.side == TP_SIDE_TUNNEL ? GO_ON : TP_R_no_route;
}

static __always_inline int serve_by_tunnel(struct pkt *pkt, struct tp_flow *flow, __u16 mtu,
					   __u32 ingress)
{
	if (!local_agrees(pkt, &flow->dst, ingress))
		return TP_R_no_route;
	flow->ifindex = pkt->tunnel_ifindex;
	flow->mtu = tunnel_mtu(pkt, mtu);
	flow->flags |= TP_FLOW_L3_OUT;
	flow->checked = (__u32)pkt->now;
	return is_too_big(pkt, flow->mtu) ? TP_R_too_big : GO_ON;
}

/* Delivered to this machine's own sockets. */
static __always_inline int serve_here(struct pkt *pkt, struct tp_flow *flow)
{
	flow->flags |= TP_FLOW_LOCAL;
	flow->checked = (__u32)pkt->now;
	return GO_ON;
}

/* The next hop, into scratch->forward. What the kernel leads nowhere is not for the stack. */
static __noinline int serve_next_hop(struct pkt *pkt, const struct verdict *v, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	long answer;
	int r;

	if (!pkt || !v || !s)
		return TP_R_internal;
	if (v->out_side == TP_SIDE_OWN) {
		r = serve_here(pkt, &s->forward);
	} else if (v->out_side == TP_SIDE_TUNNEL) {
		r = serve_by_tunnel(pkt, &s->forward, v->mtu, ingress);
	} else {
		answer = route_next_hop(pkt, &pkt->key.src, &s->forward.dst, ingress, &s->fib);
		r = next_hop_set(pkt, &s->forward, &s->fib, answer);
		if (v->local_vip)
			r = hand_over_set(&s->forward, r);
	}
	if (r == TP_R_too_big)
		return answered_by(pkt, &s->forward, r);
	return r == TP_R_stack_route ? TP_R_no_route : r;
}

/*
 * Whether the answers would be another flow's. Those that are met on their way into the tunnel are
 * first looked for among what came by the very address.
 */
static __noinline bool serve_is_taken(struct pkt *pkt, struct tp_scratch *s)
{
	struct tp_flow_state *state = NULL;

	if (!pkt || !s)
		return false;
	if (reply_is_taken(pkt, s))
		return true;
	if (s->reply_key.side != TP_SIDE_OWN && !(s->forward.flags & TP_FLOW_HANDED))
		return false;
	flow_key_reverse(&s->forward_key, &s->reply_key, TP_SIDE_TUNNEL);
	return flow_find(&s->forward_key, &state) && state &&
	       !flow_is_expired(pkt->limits, state, pkt->now);
}

/*
 * The source it leaves with. Where the route leaves it as it is, one port of a client may still
 * talk to the backend twice, by the service and by its own address: then the port is another one.
 */
static __noinline int serve_source(struct pkt *pkt, const struct verdict *v, __u32 ingress)
{
	struct tp_scratch *s = scratch_find();
	int r = GO_ON;

	if (!pkt || !v || !s)
		return TP_R_internal;
	if (v->snat != TP_SNAT_NONE) {
		r = snat_address(pkt, v, ingress, s->forward.ifindex, &s->nat_out_key.outside);
	} else {
		scratch_reply(pkt, s, v);
		if (!serve_is_taken(pkt, s))
			return GO_ON;
		s->nat_out_key.outside = pkt->key.src;
	}
	return r == GO_ON ? snat_bind(pkt, s, true) : r;
}

static __always_inline int serve_open(struct pkt *pkt, struct tp_scratch *s,
				      const struct verdict *v, __u32 ingress)
{
	int r;

	scratch_start(pkt, s);
	s->forward.dst = s->inner.dst;
	s->forward.dport = s->inner.dport;
	s->forward.flags = TP_FLOW_DST_NAT;
	if (pkt->ttl <= 1 && v->out_side != TP_SIDE_OWN)
		return pkt->ttl ? answered_by(pkt, &s->forward, TP_R_ttl_exceeded) : TP_R_malformed;
	r = serve_next_hop(pkt, v, ingress);
	if (r == GO_ON)
		r = serve_source(pkt, v, ingress);
	if (r != GO_ON)
		return r;
	r = open_both(pkt, s, v);
	if (r != GO_ON)
		return r;
	if (v->out_side == TP_SIDE_OWN)
		return deliver(pkt, &s->forward);
	if (v->local_vip)
		return hand_over(pkt, &s->forward);
	return v->out_side == TP_SIDE_TUNNEL ? send_direct(pkt, &s->forward)
					     : send_neigh(pkt, &s->forward, &s->fib);
}

/* TCP that can open no flow, and has none: its connection is gone, unless nobody ever served it. */
static __always_inline int serve_reset(const struct pkt *pkt, struct tp_scratch *s)
{
	if (!reset_fits(pkt) || pkt->tcp_flags & TCP_SYN || !service_of(&pkt->key))
		return TP_R_invalid;
	s->answer_mtu = ANSWER_RESET;
	s->answer_out = 0;
	return GO_ANSWER;
}

/* The first packet of a flow, admitted by the verdict in the scratch. */
static __always_inline int open_service(struct pkt *pkt, struct tp_scratch *s, __u32 ingress)
{
	int r = admit_opening(pkt);

	if (r == TP_R_invalid)
		return serve_reset(pkt, s);
	if (r == GO_ON && pkt->options)
		r = TP_R_nat_options;
	if (r == GO_ON)
		r = serve_choose(pkt);
	if (r == GO_ON)
		r = serve_admit(pkt, s);
	return r == GO_ON ? serve_open(pkt, s, &s->verdict, ingress) : r;
}

/* ---- later: is it still the backend? ------------------------------------------------------- */

/* No other backend could go on with it, and this one may only be slow. */
static __always_inline bool serve_is_connected(const struct tp_flow_state *state)
{
	return state->kind == TP_FLOW_TCP_ESTABLISHED || state->kind == TP_FLOW_TCP_CLOSING;
}

/*
 * Whether a flow, if it is one to a service, may go on with its backend. Asked when a packet needs
 * a second look, as snat_is_current: once a second, and with a new policy. Nothing stays with a
 * backend that is removed, and with one that is not healthy only connections do.
 */
static __noinline bool backend_is_current(const struct tp_flow_state *state)
{
	const struct tp_service *service;
	const struct tp_backends *backends;
	__u32 index;

	if (!state || state->mapping[1] || !(state->way[TP_OPENER].to.flags & TP_FLOW_DST_NAT))
		return true;
	service = service_of(&state->way[TP_OPENER].key);
	backends = service ? backends_of(service) : NULL;
	if (!backends || service->target_port != state->way[TP_ANSWERER].key.sport)
		return false;
	index = find_backend(backends, &state->way[TP_ANSWERER].key.src);
	if (index == TP_BACKEND_MAX)
		return false;
	return serve_is_connected(state) || backend_is_healthy(backends, index);
}

#endif
