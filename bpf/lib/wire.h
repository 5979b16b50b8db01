/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What XDP does with a frame from a LAN: sends on what a flow between two LANs needs, refuses
 * what tc would refuse for where it comes from, and leaves all else to tc as it came.
 */
#ifndef BPF_LIB_WIRE_H
#define BPF_LIB_WIRE_H

#include "lib/fast.h"
#include "lib/guard.h"
#include "lib/hand_over.h"
#include "lib/lan.h"
#include "lib/local.h"

/*
 * An untagged IP frame for this machine. XDP sees others too: where the device is promiscuous,
 * behind a switch that floods. mac is at a multiple of 4 in struct tp_device.
 */
static __always_inline bool wire_is_for_us(struct xdp_md *xdp, const struct tp_device *device)
{
	const struct ethhdr *eth = hook_ptr_from(xdp, 0, sizeof(*eth));
	const __u8 *mac = device->mac;

	if (!eth)
		return false;
	if (eth->h_proto != bpf_htons(ETH_P_IP) && eth->h_proto != bpf_htons(ETH_P_IPV6))
		return false;
	return *(const __u32 *)eth->h_dest == *(const __u32 *)mac &&
	       *(const __u16 *)(eth->h_dest + 4) == *(const __u16 *)(mac + 4);
}

/*
 * A frame that the driver handed us can go where a driver takes frames from XDP. In generic mode
 * the kernel sends it through any device, but then it need not have come off a wire: only if the
 * policy insists.
 */
static __always_inline bool wire_may_send(const struct tp_device *device,
					  const struct tp_flow *flow)
{
	if (flow->flags & (TP_FLOW_LOCAL | TP_FLOW_L3_OUT))
		return false;
	if (device->flags & TP_DEV_XDP_NATIVE)
		return flow->flags & TP_FLOW_XDP;
	return device->flags & TP_DEV_XDP_FORCED;
}

/*
 * The next packet of a settled flow, from wire to wire. A SYN may need its segment size lowered,
 * and an ICMP error looks for its flow elsewhere. GO_ON: belongs to no flow.
 */
static __always_inline int wire_forward(struct pkt *pkt, const struct tp_device *device)
{
	struct tp_flow_state *state = NULL;
	struct tp_flow *flow;

	if (proto_is_icmp(pkt) && !icmp_is_query(pkt) && !icmp_is_reply(pkt))
		return GO_ON;
	flow = flow_find_fast(&pkt->key, &state);
	if (!flow || !state)
		return GO_ON;
	if (!wire_may_send(device, flow) || (pkt->tcp_flags & TCP_SYN))
		return GO_SLOW;
	if (!fast_is_settled(pkt, flow, state) || !fast_fits(pkt, flow))
		return GO_SLOW;

	flow_touch(pkt, state, flow->flags & TP_FLOW_REPLY);
	return send_direct(pkt, flow);
}

/*
 * The refusals of from_lan that need no flow. r: what parsing said. Most of what passes here is
 * other people's: a destination is looked up only when something is wrong.
 */
static __always_inline int wire_refuse(struct pkt *pkt, __u32 ingress, int r)
{
	if (r == TP_R_local_scope || (pkt->has_addrs && scope_is_local(pkt)))
		return GO_SLOW;
	if (r == GO_ON && scope_is_martian(pkt))
		r = TP_R_martian;
	if (r == GO_ON && lan_is_spoofed(pkt))
		r = TP_R_spoof;
	else if (r != GO_ON && (!hook_is_whole(hook_xdp(pkt)) || !lan_concerns_us(pkt, ingress)))
		return GO_SLOW;
	return r != GO_ON && (hander_is_sender(pkt) || local_keeps(pkt, ingress)) ? GO_SLOW : r;
}

static __always_inline int from_wire(struct pkt *pkt, const struct tp_device *device, __u32 ingress)
{
	int r = parse(pkt), known = GO_ON;

	if (r == GO_ON && !pkt->fragment)
		known = wire_forward(pkt, device);
	if (known != GO_ON)
		return known;
	r = wire_refuse(pkt, ingress, r);
	return r == GO_ON && guard_concerns(pkt, device) ? guard(pkt) : r;
}

#endif
