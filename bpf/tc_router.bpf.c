// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tc programs. Three are attached: tunnel ingress, LAN ingress, egress of both. They do what
 * an established flow needs; anything else begins again, with the untouched packet, in a program
 * behind a tail call. An entry maps the reason that its stages end with to an action.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/hook_tc.h"
#include "lib/answer.h"
#include "lib/egress.h"
#include "lib/fast.h"
#include "lib/foreign.h"
#include "lib/hand_over.h"
#include "lib/ingress.h"
#include "lib/parse_slow.h"

enum stage {
	STAGE_INGRESS,
	STAGE_OPEN,
	STAGE_EGRESS,
	STAGE_ERROR,
	STAGE_ANSWER,
	STAGE_JUDGE = TP_STAGE_JUDGE, /* nobody goes there: towpath finds it here */
	STAGE_SERVE,
	STAGES
};

int tp_tc_ingress(struct __sk_buff *skb);
int tp_tc_open(struct __sk_buff *skb);
int tp_tc_out(struct __sk_buff *skb);
int tp_tc_error(struct __sk_buff *skb);
int tp_tc_answer(struct __sk_buff *skb);
int tp_tc_judge(struct __sk_buff *skb);
int tp_tc_serve(struct __sk_buff *skb);

/* libbpf, when it loads the programs */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} tp_stages SEC(".maps") = {
	.values = {
		[STAGE_INGRESS] = (void *)&tp_tc_ingress,
		[STAGE_OPEN] = (void *)&tp_tc_open,
		[STAGE_EGRESS] = (void *)&tp_tc_out,
		[STAGE_ERROR] = (void *)&tp_tc_error,
		[STAGE_ANSWER] = (void *)&tp_tc_answer,
		[STAGE_JUDGE] = (void *)&tp_tc_judge,
		[STAGE_SERVE] = (void *)&tp_tc_serve,
	},
};

static __always_inline int finish(__u32 reason)
{
	enum tp_verdict verdict = verdict_of(reason);

	count_reason(reason);
	if (verdict == TP_DROP)
		return TC_ACT_SHOT;
	/* "to the stack" must not be TC_ACT_OK: that would end the chain of programs behind us */
	return verdict == TP_FORWARD ? TC_ACT_REDIRECT : TC_ACT_UNSPEC;
}

/* Comes back only if the other program is missing. */
static __always_inline int go_to(struct __sk_buff *skb, enum stage stage)
{
	bpf_tail_call(skb, &tp_stages, stage);
	return finish(TP_R_no_program);
}

/* The end of a program on the way in. */
static __always_inline int finish_or_go(struct __sk_buff *skb, int r)
{
	if (r == GO_SLOW)
		return go_to(skb, STAGE_INGRESS);
	if (r == GO_OPEN)
		return go_to(skb, STAGE_OPEN);
	if (r == GO_ERROR)
		return go_to(skb, STAGE_ERROR);
	if (r == GO_ANSWER)
		return go_to(skb, STAGE_ANSWER);
	if (r == GO_SERVE)
		return go_to(skb, STAGE_SERVE);
	return finish(r);
}

SEC("tc")
int tp_tc_tunnel(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r = GO_ON;

	if (pkt_start(&pkt, skb, TP_SIDE_TUNNEL, L2_NONE))
		r = fast_ingress(&pkt);
	return finish_or_go(skb, r == GO_ON ? GO_SLOW : r);
}

/* Most of what a LAN device brings is not for us: it is told apart here, without a detour. */
SEC("tc")
int tp_tc_lan(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r = lan_frame(skb);

	if (r != GO_ON)
		return finish(r);
	if (!pkt_start(&pkt, skb, TP_SIDE_LAN, L2_ETHERNET))
		return finish(TP_R_not_ours);
	r = fast_ingress(&pkt);
	if (r <= 0 && hand_over_take(&pkt)) /* of no flow on this side, or not the fast one's */
		return finish(TP_R_judged);
	if (r == GO_ON)
		r = lan_concerns_us(&pkt, skb->ifindex) ? GO_SLOW : TP_R_not_ours;
	return finish_or_go(skb, r);
}

/* Behind a tail call: which device the packet came by. False: no settings yet. */
static __always_inline bool stage_start(struct pkt *pkt, struct __sk_buff *skb)
{
	if (!pkt_start(pkt, skb, TP_SIDE_TUNNEL, L2_NONE))
		return false;
	if (skb->ifindex != pkt->tunnel_ifindex) {
		pkt->key.side = TP_SIDE_LAN;
		pkt->l2_len = L2_ETHERNET;
	}
	return true;
}

SEC("tc")
int tp_tc_ingress(struct __sk_buff *skb)
{
	struct pkt pkt;

	if (!stage_start(&pkt, skb))
		return finish(TP_R_no_policy);
	return finish_or_go(skb, from_outside(&pkt, skb->ifindex));
}

SEC("tc")
int tp_tc_open(struct __sk_buff *skb)
{
	struct pkt pkt;

	if (!stage_start(&pkt, skb))
		return finish(TP_R_no_policy);
	return finish_or_go(skb, from_stranger(&pkt, skb->ifindex));
}

SEC("tc")
int tp_tc_serve(struct __sk_buff *skb)
{
	struct pkt pkt;

	if (!stage_start(&pkt, skb))
		return finish(TP_R_no_policy);
	return finish_or_go(skb, from_client(&pkt, skb->ifindex));
}

SEC("tc")
int tp_tc_error(struct __sk_buff *skb)
{
	struct pkt pkt;

	if (!stage_start(&pkt, skb))
		return finish(TP_R_no_policy);
	return finish(from_error(&pkt, skb->ifindex));
}

SEC("tc")
int tp_tc_answer(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r;

	if (!stage_start(&pkt, skb))
		return finish(TP_R_no_policy);
	r = answer(&pkt, skb->ifindex);
	if (r != TP_R_no_backend && r != TP_R_reset)
		return finish(r);
	count_reason(r); /* refused, and what goes out says so */
	return TC_ACT_REDIRECT;
}

/* Egress: which device, and whether anything on it can concern us. */
static __always_inline int egress_start(struct pkt *pkt, struct __sk_buff *skb)
{
	if (!pkt_start(pkt, skb, TP_SIDE_TUNNEL, L2_NONE))
		return TP_R_not_ours;
	if (hook_take_mark(pkt))
		return TP_R_judged;
	pkt->out = true;
	if (skb->ifindex == pkt->tunnel_ifindex)
		return GO_ON;

	pkt->key.side = TP_SIDE_LAN;
	pkt->l2_len = L2_ETHERNET;
	return is_ip(skb) ? GO_ON : TP_R_not_ip;
}

/*
 * On a LAN, and not from the mesh. Packets that we redirected keep the device they came in by,
 * those of this machine's own sockets have none.
 */
static __always_inline bool is_foreign(const struct pkt *pkt, const struct __sk_buff *skb)
{
	return skb->ifindex != pkt->tunnel_ifindex && skb->ingress_ifindex != pkt->tunnel_ifindex;
}

/* What one LAN sends another is ours where it is judged, and rare here: most needs no stack. */
static __always_inline bool is_lan_to_lan(const struct __sk_buff *skb)
{
	return skb->ingress_ifindex && lan_is_judged(skb->ingress_ifindex);
}

/* It leaves by the device that it came by, which is rare too. */
static __always_inline bool comes_back(const struct __sk_buff *skb)
{
	return skb->ingress_ifindex == skb->ifindex;
}

SEC("tc")
int tp_tc_egress(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r = egress_start(&pkt, skb);

	if (r != GO_ON)
		return finish(r);
	if (!is_foreign(&pkt, skb))
		r = fast_egress(&pkt);
	else if (is_lan_to_lan(skb) || comes_back(skb))
		r = GO_SLOW;
	else
		r = fast_foreign(&pkt, !skb->ingress_ifindex);
	return r == GO_SLOW ? go_to(skb, STAGE_EGRESS) : finish(r);
}

SEC("tc")
int tp_tc_out(struct __sk_buff *skb)
{
	struct pkt pkt;
	int r = egress_start(&pkt, skb);

	if (r != GO_ON)
		return finish(r);
	r = parse_slow(&pkt);
	if (skb->ifindex == pkt.tunnel_ifindex) {
		r = tunnel_egress(skb, &pkt, r);
		return r == GO_SLOW ? go_to(skb, STAGE_EGRESS) : finish(r);
	}
	if (!is_foreign(&pkt, skb))
		return finish(lan_egress(&pkt, r));
	if (comes_back(skb) && was_handed_in_vain(&pkt))
		return finish(TP_R_unjudged);
	if (is_lan_to_lan(skb))
		return finish(lan_to_lan_egress(&pkt, r));
	return finish(foreign_to_lan(&pkt, r));
}

/* By the classes that routes tell where they do, as admit() has them. */
static __always_inline int judge(const struct pkt *pkt, __u32 *rule)
{
	const struct tp_route *src = route_find(pkt->generation, &pkt->key.src);
	const struct tp_route *dst = route_find(pkt->generation, &pkt->key.dst);

	return policy_judge(&pkt->key, pkt->generation, src ? src->src_class : TP_CLASS_UNTOLD,
			    dst ? dst->dst_class : TP_CLASS_UNTOLD, rule);
}

/*
 * Not attached. Before a policy goes live its tests are put through this, by BPF_PROG_TEST_RUN:
 * what do the grants of the generation in cb[0] and cb[1] say of the packet? The rule that
 * decides is left in cb[2]. Returns GO_ON or the reason for refusing it.
 */
SEC("tc")
int tp_tc_judge(struct __sk_buff *skb)
{
	struct pkt pkt;
	__u32 rule = TP_RULE_NONE;
	int r = TP_R_no_policy;

	if (pkt_start(&pkt, skb, TP_SIDE_LAN, L2_ETHERNET)) {
		pkt.generation = (__u64)skb->cb[1] << 32 | skb->cb[0];
		r = parse_slow(&pkt);
	}
	if (r == GO_ON)
		r = judge(&pkt, &rule);
	skb->cb[2] = rule;
	return r;
}

char _license[] SEC("license") = "GPL";
