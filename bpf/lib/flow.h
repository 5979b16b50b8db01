/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow table, for packets of known flows. A flow is in its slot of tp_flow_state, with the keys
 * of both directions and what becomes of their packets; tp_flows only finds the slot. Marking the
 * slot dead (one compare-and-swap) makes both directions a miss at once. Deleting comes later: see
 * slots.h.
 */
#ifndef BPF_LIB_FLOW_H
#define BPF_LIB_FLOW_H

#include <linux/in6.h>

#include "lib/count.h"
#include "lib/maps.h"
#include "lib/pkt.h"
#include "lib/tcp.h"

#define FLOW_MIX 0x9e3779b97f4a7c15ULL /* odd, its bits spread: 2^64 by the golden ratio */

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

static __always_inline bool flow_key_same(const struct tp_flow_key *a, const struct tp_flow_key *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/*
 * The flow in a slot, if it is alive and packets with this key are of it. What is returned stays as
 * it is long enough: should the flow end now, its slot is not used again for TP_FLOW_QUIET_MS.
 */
static __always_inline struct tp_flow *flow_at(const struct tp_flow_key *key, __u32 slot, __u32 way,
					       struct tp_flow_state **state)
{
	struct tp_flow_state *found = bpf_map_lookup_elem(&tp_flow_state, &slot);

	way &= 1;
	if (!found || !(found->gen & 1) || !(found->ways & (1 << way)) ||
	    !flow_key_same(&found->way[way].key, key))
		return NULL;
	*state = found;
	return &found->way[way].to;
}

/*
 * What becomes of packets with this key, or NULL. Does not look at the policy generation. That the
 * row may be given to another key while it is read here does no harm: the flow has its keys.
 */
static __always_inline struct tp_flow *flow_find(const struct tp_flow_key *key,
						 struct tp_flow_state **state)
{
	const struct tp_flow_ref *ref = bpf_map_lookup_elem(&tp_flows, key);

	return ref ? flow_at(key, ref->slot, ref->way, state) : NULL;
}

/*
 * Any mixture will do that tells flows apart: a bad one costs time and nothing else. Products carry
 * upward only, so the upper half, where an IPv4 address has its last byte, is folded down first.
 */
static __always_inline __u64 flow_mix(__u64 so_far, __u64 word)
{
	so_far = (so_far ^ word) * FLOW_MIX;
	return so_far ^ so_far >> 32;
}

static __always_inline __u32 flow_hint_row(const struct tp_flow_key *key)
{
	const __u64 *word = (const void *)key;
	__u64 src = word[0] ^ word[1] ^ word[1] >> 32, dst = word[2] ^ word[3] ^ word[3] >> 32;

	return flow_mix(flow_mix(flow_mix(0, src), dst), word[4] ^ word[4] >> 32) & (TP_HINTS - 1);
}

/* The same for a packet that most likely follows others of its flow. */
static __always_inline struct tp_flow *flow_find_fast(const struct tp_flow_key *key,
						      struct tp_flow_state **state)
{
	__u32 row = flow_hint_row(key);
	__u32 *hint = bpf_map_lookup_elem(&tp_hints, &row);
	const struct tp_flow_ref *ref;
	struct tp_flow *flow;

	if (!hint)
		return NULL;
	flow = flow_at(key, *hint >> 1, *hint, state);
	if (flow)
		return flow;
	ref = bpf_map_lookup_elem(&tp_flows, key);
	if (!ref)
		return NULL;
	*hint = ref->slot << 1 | ref->way;
	return flow_at(key, ref->slot, ref->way, state);
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
	if (state->rule < TP_RULE_MAX) /* else it is one of TP_RULE_* */
		count_rule(pkt->generation, state->rule, pkt->len);
	count_route(state->route, pkt->len);
	count_peer_rx(state->peer[reply], pkt->len);
	count_peer_tx(state->peer[!reply], pkt->len);
}

#endif
