/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow table, for packets of known flows. An entry is alive while its slot's generation is the
 * one it was made with; marking the slot dead (one compare-and-swap) makes both directions a miss
 * at once. Deleting comes later: see slots.h.
 */
#ifndef BPF_LIB_FLOW_H
#define BPF_LIB_FLOW_H

#include <linux/in6.h>

#include "lib/count.h"
#include "lib/maps.h"
#include "lib/pkt.h"
#include "lib/tcp.h"

static __always_inline bool flow_is_expired(const struct tp_limits *limits,
					    const struct tp_flow_state *state, __u64 now)
{
	__u64 seen = state->seen;

	/* in jiffies; another CPU may have stored a later `seen` than our `now` */
	return now > seen && now - seen > limits->timeout[state->kind & (TP_FLOW_KIND_ROOM - 1)];
}

static __always_inline struct tp_slot_cursor *flow_cursor(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tp_slot_cursor, &zero);
}

/*
 * Marks a slot dead and queues it for burial. gen: the odd generation the caller saw. False when
 * somebody else was faster.
 */
static __always_inline bool flow_kill(struct tp_flow_state *state, __u32 slot, __u32 gen, __u64 now)
{
	struct tp_slot_cursor *cursor = flow_cursor();

	if (__sync_val_compare_and_swap(&state->gen, gen, gen + 1) != gen)
		return false;
	state->died = now;
	if (cursor)
		__sync_fetch_and_add(&cursor->live, -1);
	/* has room for every slot, and holds each once: it is pushed by whoever won above */
	bpf_map_push_elem(&tp_dead_slots, &slot, BPF_ANY);
	return true;
}

/* The live entry for a key and its state, or NULL. Does not look at the policy generation. */
static __always_inline struct tp_flow *flow_find(const struct tp_flow_key *key,
						 struct tp_flow_state **state)
{
	struct tp_flow *flow = bpf_map_lookup_elem(&tp_flows, key);
	__u32 slot;

	if (!flow)
		return NULL;

	slot = flow->slot;
	*state = bpf_map_lookup_elem(&tp_flow_state, &slot);
	if (!*state || (*state)->gen != flow->slot_gen)
		return NULL;
	return flow;
}

/*
 * The entry itself, whole. A dead flow's key may be taken over at once, and the kernel then hands
 * the entry's memory on, to a flow with another key, while we read it. The state's slot is not used
 * again for a second: if the flow is alive after the last byte was read, it was so before.
 */
static __always_inline bool flow_copy(struct tp_flow *to, const struct tp_flow *flow,
				      const struct tp_flow_state *state)
{
	__u32 slot;

	*to = *flow;
	barrier();
	slot = to->slot;
	return bpf_map_lookup_elem(&tp_flow_state, &slot) == state &&
	       *(const volatile __u32 *)&state->gen == to->slot_gen;
}

/* Of either family: parsing refuses the one that is not the packet's. */
static __always_inline bool flow_key_is_icmp(const struct tp_flow_key *key)
{
	return key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6;
}

/* The same flow seen from the device it leaves by. */
static __always_inline void flow_key_reverse(struct tp_flow_key *out, const struct tp_flow_key *key,
					     __u8 side)
{
	out->src = key->dst;
	out->dst = key->src;
	out->sport = key->dport;
	out->dport = key->sport;
	out->proto = key->proto;
	out->side = side;
	out->answer = flow_key_is_icmp(key) && !key->answer;
	out->pad = 0;
}

/* Counts a packet of a known flow and keeps the flow alive. */
static __always_inline void flow_touch(struct pkt *pkt, struct tp_flow_state *state, bool reply)
{
	struct tp_flow_way *way = &state->way[reply & 1];

	if (state->seen != pkt->now)
		state->seen = pkt->now;
	if (pkt->key.proto == IPPROTO_TCP && !pkt->frag_offset)
		tcp_see(pkt, state, reply);

	/* one direction is on one CPU nearly always: a lost count costs less than two atomics */
	way->packets++;
	way->bytes += pkt->len;
	count_rule(pkt->generation, state->rule, pkt->len);
	count_route(state->route, pkt->len);
	count_peer_rx(state->peer[reply], pkt->len);
	count_peer_tx(state->peer[!reply], pkt->len);
}

#endif
