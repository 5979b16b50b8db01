/* SPDX-License-Identifier: GPL-2.0-only */
/* How every program begins with a packet. */
#ifndef BPF_LIB_START_H
#define BPF_LIB_START_H

#include "lib/maps.h"
#include "lib/pkt.h"

/* Clock, policy generation and settings, each read once a packet. */
static __always_inline bool pkt_start(struct pkt *pkt, HOOK_CONTEXT *ctx, __u8 side, __u16 l2_len)
{
	struct tp_state *state;
	__u32 zero = 0;

	__builtin_memset(pkt, 0, sizeof(*pkt));
	pkt->ctx = ctx;
	pkt->l2_len = l2_len;
	pkt->key.side = side;
	pkt->now = bpf_jiffies64();
	pkt->limits = bpf_map_lookup_elem(&tp_limits, &zero);
	state = bpf_map_lookup_elem(&tp_state, &zero);
	if (!state || !pkt->limits)
		return false;

	pkt->generation = *(volatile __u64 *)&state->generation;
	pkt->tunnel_ifindex = state->tunnel_ifindex;
	pkt->nonce = state->nonce;
	return true;
}

#endif
