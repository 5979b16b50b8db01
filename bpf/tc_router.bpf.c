// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tc programs: tunnel ingress, LAN ingress, and egress of both. An entry reads the packet,
 * runs the stages and maps the reason they end with to an action; nothing is decided here twice.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/hook_tc.h"
#include "lib/parse.h"
#include "lib/known.h"
#include "lib/open.h"
#include "lib/scope.h"

/* What each reason means for the packet; the list is in include/towpath/reason.h. */
static const __u8 verdicts[TP_REASON_ROOM] = {
#define VERDICT_OF(name, verdict, text) [TP_R_##name] = TP_##verdict,
	TP_REASONS(VERDICT_OF)
#undef VERDICT_OF
};

static __always_inline int finish(struct __sk_buff *skb, __u32 reason)
{
	__u8 verdict = verdicts[reason & (TP_REASON_ROOM - 1)];

	count_reason(reason);
	if (verdict == TP_DROP)
		return TC_ACT_SHOT;
	/* "to the stack" must not be TC_ACT_OK: that would end the chain of programs behind us */
	return verdict == TP_FORWARD ? TC_ACT_REDIRECT : TC_ACT_UNSPEC;
}

/* Clock, policy generation and settings, each read once a packet. */
static __always_inline bool pkt_start(struct pkt *pkt, struct __sk_buff *skb, __u8 side,
				      __u16 l2_len)
{
	struct tp_state *state;
	__u32 zero = 0;

	__builtin_memset(pkt, 0, sizeof(*pkt));
	pkt->ctx = skb;
	pkt->l2_len = l2_len;
	pkt->key.side = side;
	pkt->now = bpf_jiffies64();
	pkt->limits = bpf_map_lookup_elem(&tp_limits, &zero);
	state = bpf_map_lookup_elem(&tp_state, &zero);
	if (!state || !pkt->limits)
		return false;

	pkt->generation = *(volatile __u64 *)&state->generation;
	pkt->tunnel_ifindex = state->tunnel_ifindex;
	return true;
}

/* Known flow, or admission of a new one: the same for both ways in. */
static __always_inline int route_packet(struct pkt *pkt, __u32 ingress)
{
	struct admit_at at = { .generation = pkt->generation, .now = pkt->now };
	struct tp_scratch *scratch = scratch_find();
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;
	struct verdict *v; /* six calls deep, the stack is 512 bytes in all */
	int r;

	if (!scratch)
		return TP_R_ct_full;
	v = &scratch->verdict;
	r = known_flow(pkt, &flow, &state);
	if (r != GO_ON)
		return r;
	if (flow && state)
		return forward_known(pkt, flow, state, ingress);

	r = admit(&pkt->key, &at, v);
	if (r == TP_R_acl && v->rule != RULE_NONE)
		count_rule(pkt->generation, v->rule, pkt->len);
	if (r == GO_ON)
		r = open_flow(pkt, v, ingress);
	if (r == TP_R_ct_full || r == TP_R_nat_full)
		count_flow(FLOW_REFUSED);
	if (verdicts[r & (TP_REASON_ROOM - 1)] == TP_DROP)
		count_peer_drop(v->peer[0]);
	return r;
}

static __always_inline int from_tunnel(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r;

	if (!pkt_start(&pkt, skb, TP_SIDE_TUNNEL, L2_NONE))
		return TP_R_no_policy;

	r = parse(&pkt);
	if (r == TP_R_local_scope || (pkt.has_addrs && scope_is_local(&pkt)))
		return TP_R_local_scope;
	if (r != GO_ON)
		return r;
	if (scope_is_martian(&pkt))
		return TP_R_martian;
	if (pkt.fragment)
		return TP_R_frag_unknown;
	return route_packet(&pkt, skb->ifindex);
}

/* Whether the LAN packet's destination is reached through the tunnel or is our mesh address. */
static __always_inline bool lan_is_ours(const struct pkt *pkt)
{
	struct tp_route *dst;

	if (!pkt->has_addrs)
		return false;
	dst = route_find(pkt->generation, &pkt->key.dst);
	return dst && !(dst->flags & TP_ROUTE_EXIT) &&
	       (dst->kind == TP_ROUTE_MESH || dst->kind == TP_ROUTE_SELF);
}

static __always_inline bool is_ip(const struct __sk_buff *skb)
{
	return skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6);
}

static __always_inline int from_lan(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r;

	if (!is_ip(skb) || skb->vlan_present)
		return TP_R_not_ip;
	if (skb->pkt_type != 0 /* PACKET_HOST */)
		return skb->pkt_type == 3 ? TP_R_other_host : TP_R_local_scope;
	if (!pkt_start(&pkt, skb, TP_SIDE_LAN, L2_ETHERNET))
		return TP_R_not_ours;

	r = parse(&pkt);
	if (r == TP_R_local_scope || (pkt.has_addrs && scope_is_local(&pkt)))
		return TP_R_local_scope;
	/* what is wrong with other people's packets is not our business */
	if (r != GO_ON)
		return lan_is_ours(&pkt) ? r : TP_R_not_ours;
	if (scope_is_martian(&pkt))
		return lan_is_ours(&pkt) ? TP_R_martian : TP_R_not_ours;
	if (pkt.fragment)
		return lan_is_ours(&pkt) ? TP_R_frag_unknown : TP_R_not_ours;
	return route_packet(&pkt, skb->ifindex);
}

/* A flow that ends at this machine and is met on the way out first. */
static __always_inline bool is_still_allowed(struct pkt *pkt, struct tp_flow *flow,
					     struct tp_flow_state *state)
{
	if (flow_is_expired(pkt->limits, state, pkt->now))
		return false;
	if (flow->policy_gen != (__u32)pkt->generation && judge_again(pkt, flow, state) != GO_ON)
		return false;
	return !state->expires_at || pkt->now < state->expires_at;
}

/*
 * On its way out: a packet is judged if the flow that its answers belong to exists. Nothing but
 * the accounting of flows that end at this machine happens to it.
 */
static __always_inline bool is_judged(struct pkt *pkt)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow_key key;
	struct tp_flow *flow;

	flow_key_reverse(&key, &pkt->key, pkt->key.side);
	flow = flow_find(&key, &state);
	if (!flow || !state)
		return false;
	if (!(flow->flags & TP_FLOW_LOCAL))
		return true; /* its way in has looked at it just now */

	if (!is_still_allowed(pkt, flow, state)) {
		flow_kill(state, flow->slot, flow->slot_gen, pkt->now);
		return false;
	}
	flow_touch(pkt, state, !(flow->flags & TP_FLOW_REPLY));
	return true;
}

/*
 * This machine's own socket goes on with a connection whose flow is gone: expired, or refused by
 * a new policy. Opening one for it would admit the other side again, which was not asked; so the
 * other side's packets are judged as if they had come first.
 */
static __always_inline void own_goes_on(struct pkt *pkt)
{
	struct admit_at at = { .generation = pkt->generation, .now = pkt->now };
	struct tp_flow_key own = pkt->key;
	struct verdict v;

	flow_key_reverse(&pkt->key, &own, TP_SIDE_TUNNEL);
	if (admit(&pkt->key, &at, &v) == GO_ON && !v.out_side)
		open_local(pkt, &v);
}

/* This machine's own socket: not judged. When the table is full it goes out all the same. */
static __always_inline int own_to_tunnel(struct pkt *pkt)
{
	struct tp_route *dst = route_find(pkt->generation, &pkt->key.dst);
	struct verdict v = { .rule = RULE_NONE };

	if (!dst || dst->kind != TP_ROUTE_MESH || pkt->fragment)
		return TP_R_own;
	if (proto_is_icmp(pkt) && !icmp_is_query(pkt))
		return TP_R_own;
	if (admit_opening(pkt) != GO_ON) {
		own_goes_on(pkt);
		return TP_R_own;
	}
	v.peer[1] = dst->peer;
	v.expires_at = dst->expires_at;
	pkt->key.side = TP_SIDE_LAN;
	open_outbound(pkt, &v);
	return TP_R_own;
}

/* From a pod, a bridge, another device: judged here, where the stack has routed it. */
static __always_inline int stack_to_tunnel(struct pkt *pkt)
{
	struct admit_at at = { .generation = pkt->generation, .now = pkt->now };
	struct verdict v;
	int r;

	if (pkt->fragment)
		return TP_R_frag_unknown;
	pkt->key.side = TP_SIDE_LAN;
	r = admit(&pkt->key, &at, &v);
	if (r == TP_R_not_ours)
		return TP_R_unjudged;
	if (r == GO_ON)
		r = admit_opening(pkt);
	if (r == GO_ON)
		r = open_outbound(pkt, &v);
	return r == GO_ON ? TP_R_judged : r;
}

static __always_inline int tunnel_egress(struct __sk_buff *skb, struct pkt *pkt)
{
	int r = parse(pkt);

	if (r == TP_R_local_scope || (pkt->has_addrs && scope_is_local(pkt)))
		return TP_R_local_scope;
	if (r == GO_ON && !pkt->fragment && is_judged(pkt))
		return TP_R_judged;
	if (!skb->ingress_ifindex)
		return r == GO_ON ? own_to_tunnel(pkt) : TP_R_own;
	return r == GO_ON ? stack_to_tunnel(pkt) : TP_R_unjudged;
}

/*
 * Only what came through the tunnel concerns us on a LAN device, and that was judged and
 * translated on its way in. Anything else with a mesh source must not get out, to a link-local
 * address neither: Linux forwards to 169.254.0.0/16, where clouds keep their metadata.
 */
static __always_inline int lan_egress(struct __sk_buff *skb, struct pkt *pkt)
{
	int r;

	if (skb->ingress_ifindex != pkt->tunnel_ifindex)
		return TP_R_not_ours;
	r = parse(pkt);
	return r == GO_ON && !pkt->fragment && is_judged(pkt) ? TP_R_judged : TP_R_unjudged;
}

SEC("tc")
int tp_tc_tunnel(struct __sk_buff *skb)
{
	return finish(skb, from_tunnel(skb));
}

SEC("tc")
int tp_tc_lan(struct __sk_buff *skb)
{
	return finish(skb, from_lan(skb));
}

SEC("tc")
int tp_tc_egress(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r;

	if (!pkt_start(&pkt, skb, TP_SIDE_TUNNEL, L2_NONE))
		return TC_ACT_UNSPEC;
	if (skb->ifindex == pkt.tunnel_ifindex) {
		r = tunnel_egress(skb, &pkt);
	} else if (is_ip(skb)) {
		pkt.key.side = TP_SIDE_LAN;
		pkt.l2_len = L2_ETHERNET;
		r = lan_egress(skb, &pkt);
	} else {
		r = TP_R_not_ip;
	}
	return finish(skb, r);
}

char _license[] SEC("license") = "GPL";
