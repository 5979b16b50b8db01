/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that come in by a LAN device because we have put them there (local_vip.h). Each begins
 * anew, and its source would be a spoofed one. The control buffer, which tells our egress program
 * what we have redirected, survives this redirect too, but not a load balancer that runs before us,
 * for which it is scratch (Cilium's wipes it first thing). So two things together tell such a
 * packet: a mark in the skb that nothing has which comes off a wire, and a sender's MAC address
 * made of the nonce, which nobody knows on the other side of a veth, where the mark could be set.
 * XDP, which sees such packets in generic mode alone, has only the address and leaves them to tc.
 */
#ifndef BPF_LIB_HAND_OVER_H
#define BPF_LIB_HAND_OVER_H

#include <linux/if_ether.h>

#include "lib/flow.h"
#include "lib/forward.h"

#define HANDER_LOCAL 0x02 /* first byte of a locally administered address (IEEE 802-2014 8.4.4) */

union hander {
	__u8 mac[ETH_ALEN];
	__u16 words[ETH_ALEN / 2];
};

/* Not the nonce itself: a load balancer may let the frame out as it is. */
static __always_inline union hander hander_of(const struct pkt *pkt)
{
	__u64 mixed = flow_mix(flow_mix(0, pkt->nonce), pkt->nonce);
	union hander hander;

	__builtin_memcpy(hander.mac, &mixed, sizeof(hander.mac));
	hander.mac[0] = HANDER_LOCAL;
	return hander;
}

static __always_inline bool hander_is_sender(const struct pkt *pkt)
{
	union hander hander = hander_of(pkt), sender;

	if (!pkt->nonce || hook_load(pkt, ETH_ALEN, &sender, sizeof(sender)))
		return false;
	return hander.words[0] == sender.words[0] && hander.words[1] == sender.words[1] &&
	       hander.words[2] == sender.words[2];
}

/* Met where it comes in; it is to go on like a packet that is not ours. */
static __always_inline bool hand_over_take(const struct pkt *pkt)
{
	if (!hook_has_handed_mark(pkt) || !hander_is_sender(pkt))
		return false;
	hook_wipe_handed_mark(pkt);
	return true;
}

/*
 * Into the device that the LAN is on. The load balancer sees who it is from, and what was sent to
 * a service comes to the backend that it announces. No lower TTL: whoever sends the packet on, the
 * stack or the load balancer, takes one off.
 */
static __always_inline int hand_over(struct pkt *pkt, const struct tp_flow *flow)
{
	const struct tp_device *device = device_find(flow->ifindex, TP_DEV_LAN);
	union hander hander = hander_of(pkt);
	int r;

	if (!device)
		return TP_R_no_route;
	r = flow->flags & TP_FLOW_DST_NAT ? rewrite_tuple(pkt, flow) : GO_ON;
	if (r != GO_ON)
		return r;
	if (hook_untag(pkt) || mss_clamp(pkt, member_mtu(pkt, flow)) != GO_ON)
		return TP_R_rewrite;
	if (hook_push_ethernet(pkt) || hook_set_macs(pkt, device->mac, hander.mac))
		return TP_R_rewrite;
	return hook_hand_over(pkt, flow->ifindex) == HOOK_REDIRECT ? TP_R_handed_over
								   : TP_R_rewrite;
}

#endif
