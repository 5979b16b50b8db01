/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow table. An entry is alive while its slot's generation is the one it was made with;
 * marking the slot dead (one compare-and-swap) makes both directions a miss at once. Deleting
 * comes later: every new flow sweeps a few slots, so the table cleans itself without the daemon.
 */
#ifndef BPF_LIB_FLOW_H
#define BPF_LIB_FLOW_H

#include <linux/in6.h>

#include "lib/count.h"
#include "lib/maps.h"
#include "lib/nat.h"
#include "lib/pkt.h"

#define SWEEP_STEPS      4   /* slots looked at for each new flow */
#define SWEEP_STEPS_FULL 256 /* when there is no free one: a flow was refused anyway */

static __always_inline bool slot_is_used(__u32 gen)
{
	return gen & 1;
}

static __always_inline bool flow_is_expired(const struct tp_limits *limits,
					    const struct tp_flow_state *state, __u64 now)
{
	__u64 seen = state->seen;

	/* in jiffies; another CPU may have stored a later `seen` than our `now` */
	return now > seen && now - seen > limits->timeout[state->kind & (TP_FLOW_KIND_ROOM - 1)];
}

/*
 * Marks a slot dead and queues it for burial. gen: the odd generation the caller saw. False when
 * somebody else was faster.
 */
static __always_inline bool flow_kill(struct tp_flow_state *state, __u32 slot, __u32 gen, __u64 now)
{
	if (__sync_val_compare_and_swap(&state->gen, gen, gen + 1) != gen)
		return false;
	state->died = now;
	/* has room for every slot, and holds each once: it is pushed by whoever won above */
	bpf_map_push_elem(&tp_dead_slots, &slot, BPF_ANY);
	return true;
}

/* Deletes the entry unless a younger flow has taken its key over. */
static __always_inline void flow_delete_entry(const struct tp_flow_key *key, __u32 slot,
					      __u32 slot_gen)
{
	struct tp_flow *flow = bpf_map_lookup_elem(&tp_flows, key);

	if (flow && flow->slot == slot && flow->slot_gen == slot_gen)
		bpf_map_delete_elem(&tp_flows, key);
}

/* Takes a dead slot's entries and NAT mapping away and puts the slot on the free list. */
static __always_inline void flow_bury(struct tp_flow_state *state, __u32 slot)
{
	__u32 made_with = state->gen - 1;

	flow_delete_entry(&state->way[TP_OPENER].key, slot, made_with);
	flow_delete_entry(&state->way[TP_ANSWERER].key, slot, made_with);
	if (state->nat)
		nat_release(&state->way[TP_OPENER].key, &state->way[TP_ANSWERER].key.dst);
	state->died = 0;
	bpf_map_push_elem(&tp_free_slots, &slot, BPF_ANY);
}

/* Buries the oldest dead slot. GO_ON, or anything else: none may be buried yet. */
__noinline int flow_bury_oldest(__u64 now, __u64 quiet)
{
	struct tp_flow_state *state;
	__u32 slot;

	if (bpf_map_pop_elem(&tp_dead_slots, &slot))
		return TP_R_ct_full;
	state = bpf_map_lookup_elem(&tp_flow_state, &slot);
	if (!state)
		return TP_R_ct_full;
	/* another CPU may have marked it with a later `died` than our `now` */
	if (now <= state->died || now - state->died <= quiet) {
		bpf_map_push_elem(&tp_dead_slots, &slot, BPF_ANY);
		return TP_R_ct_full;
	}
	flow_bury(state, slot);
	return GO_ON;
}

/* Marks the slot's flow dead if its time is over. */
__noinline int flow_sweep_slot(__u32 slot, __u64 now, struct tp_limits *limits)
{
	struct tp_flow_state *state = bpf_map_lookup_elem(&tp_flow_state, &slot);
	__u32 gen;

	if (!state || !limits)
		return 0;
	gen = state->gen;
	if (slot_is_used(gen) && flow_is_expired(limits, state, now) &&
	    flow_kill(state, slot, gen, now))
		count_flow(FLOW_EXPIRED);
	return 0;
}

static __always_inline struct tp_slot_cursor *flow_cursor(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tp_slot_cursor, &zero);
}

/*
 * Looks at some slots. The hand begins again where it has passed the last slot in use. It is no
 * counter modulo fresh: while every flow takes a fresh slot, that would keep step with fresh and
 * never see old slots.
 */
__noinline int flow_sweep_some(struct tp_limits *limits, __u64 now, __u32 steps)
{
	struct tp_slot_cursor *cursor = flow_cursor();
	__u32 slot, i;

	if (!limits || !cursor)
		return 0;
	for (i = 0; i < SWEEP_STEPS_FULL && i < steps; i++) {
		slot = __sync_fetch_and_add(&cursor->hand, 1);
		if (slot >= cursor->fresh || slot >= limits->flows) {
			slot = 0;
			cursor->hand = 1; /* a race only looks at a slot twice */
		}
		flow_sweep_slot(slot, now, limits);
	}
	return 0;
}

/*
 * Buries as many as are ready. A function of its own: of two loops in a row the verifier follows
 * every way through the second for every way through the first.
 */
__noinline int flow_bury_some(__u64 now, __u64 quiet, __u32 steps)
{
	__u32 i;

	for (i = 0; i < SWEEP_STEPS_FULL && i < steps; i++)
		if (flow_bury_oldest(now, quiet) != GO_ON)
			break;
	return 0;
}

static __always_inline void flow_sweep(struct pkt *pkt, __u32 steps)
{
	flow_sweep_some(pkt->limits, pkt->now, steps);
	flow_bury_some(pkt->now, pkt->limits->second * TP_FLOW_QUIET_MS / 1000, steps);
}

static __always_inline bool flow_pop_slot(struct pkt *pkt, struct tp_slot_cursor *cursor,
					  __u32 *slot)
{
	if (!bpf_map_pop_elem(&tp_free_slots, slot))
		return true;
	if (cursor->fresh >= pkt->limits->flows)
		return false;
	*slot = __sync_fetch_and_add(&cursor->fresh, 1);
	return *slot < pkt->limits->flows;
}

/*
 * A free slot's state, or NULL: the table is full. Then the sweep makes a long step, so that a
 * full table of expired flows opens up again after a few refusals, not after thousands.
 */
static __always_inline struct tp_flow_state *flow_take_slot(struct pkt *pkt, __u32 *slot)
{
	struct tp_slot_cursor *cursor = flow_cursor();

	if (!cursor)
		return NULL;

	flow_sweep(pkt, SWEEP_STEPS);
	if (!flow_pop_slot(pkt, cursor, slot)) {
		flow_sweep(pkt, SWEEP_STEPS_FULL);
		if (!flow_pop_slot(pkt, cursor, slot))
			return NULL;
	}
	return bpf_map_lookup_elem(&tp_flow_state, slot);
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
	out->pad = 0;
}

/*
 * What a LAN host opens to this machine's mesh address: the answers leave by the LAN as any of
 * this machine's traffic there, past no program that would look.
 */
static __always_inline bool flow_is_one_sided(const struct tp_flow_state *state)
{
	return state->way[TP_OPENER].key.side == TP_SIDE_LAN && !state->way[TP_ANSWERER].key.side;
}

/* RFC 5382 REQ-2: FIN both ways or RST closes; what the answerer sends establishes. */
static __always_inline void flow_track_tcp(struct tp_flow_state *state, __u8 flags, bool reply)
{
	if (flags & TCP_RST) {
		state->kind = TP_FLOW_TCP_CLOSING;
		return;
	}
	if (flags & TCP_FIN)
		state->tcp |= reply ? 2 : 1;
	if (state->tcp == 3)
		state->kind = TP_FLOW_TCP_CLOSING;
	else if (state->kind == TP_FLOW_TCP_OPENING && (flags & TCP_ACK) &&
		 (reply || flow_is_one_sided(state)))
		state->kind = TP_FLOW_TCP_ESTABLISHED;
}

/* Counts a packet of a known flow and keeps the flow alive. */
static __always_inline void flow_touch(struct pkt *pkt, struct tp_flow_state *state, bool reply)
{
	struct tp_flow_way *way = &state->way[reply & 1];

	if (state->seen != pkt->now)
		state->seen = pkt->now;
	if (pkt->key.proto == IPPROTO_TCP)
		flow_track_tcp(state, pkt->tcp_flags, reply);

	/* one direction is on one CPU nearly always: a lost count costs less than two atomics */
	way->packets++;
	way->bytes += pkt->len;
	count_rule(pkt->generation, state->rule, pkt->len);
	count_route(state->route, pkt->len);
	count_peer_rx(state->peer[reply], pkt->len);
	count_peer_tx(state->peer[!reply], pkt->len);
}

#endif
