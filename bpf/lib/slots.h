/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots of the flow table, from one flow to the next. Every new flow sweeps a few, so the table
 * cleans itself without the daemon.
 */
#ifndef BPF_LIB_SLOTS_H
#define BPF_LIB_SLOTS_H

#include "lib/claim.h"
#include "lib/count.h"
#include "lib/flow.h"
#include "lib/half_open.h"
#include "lib/maps.h"
#include "lib/nat.h"
#include "lib/pkt.h"

#define SWEEP_STEPS      4   /* slots looked at for each new flow */
#define SWEEP_STEPS_FULL 256 /* when there is no free one, once a jiffy */

static __always_inline bool slot_is_used(__u32 gen)
{
	return gen & 1;
}

/* Gives back what mappings a flow holds. */
static __always_inline void flow_release_nat(const struct tp_flow_key *key,
					     const struct tp_flow_key *reply, const __u32 *mapping)
{
	if (mapping[0])
		nat_release(&reply->dst, reply->dport, key->proto, mapping[0]);
	if (mapping[1])
		nat_release(&key->dst, key->dport, key->proto, mapping[1]);
}

/* The slot of a flow that has not come alive: what it has got so far goes as any dead flow's. */
static __always_inline void flow_abandon(struct tp_flow_state *state, __u32 slot, __u64 now)
{
	__sync_fetch_and_add(&state->gen, 2);
	state->died = now;
	bpf_map_push_elem(&tp_dead_slots, &slot, BPF_ANY);
}

/* Takes a dead slot's entries and NAT mappings away and puts the slot on the free list. */
static __always_inline void flow_bury(struct tp_flow_state *state, __u32 slot)
{
	__u32 made_with = state->gen - 1;

	claim_give_up(&state->way[TP_OPENER].key, slot, made_with);
	claim_give_up(&state->way[TP_ANSWERER].key, slot, made_with);
	flow_release_nat(&state->way[TP_OPENER].key, &state->way[TP_ANSWERER].key, state->mapping);
	state->died = 0;
	bpf_map_push_elem(&tp_free_slots, &slot, BPF_ANY);
}

/* Dead for so long that no CPU holds it. Another one may have marked it later than our `now`. */
static __always_inline bool slot_is_quiet(const struct tp_flow_state *state, __u64 now, __u64 quiet)
{
	return now > state->died && now - state->died > quiet;
}

/* Buries the oldest dead slot. False: none may be buried yet. */
__noinline int flow_bury_oldest(__u64 now, __u64 quiet)
{
	struct tp_flow_state *state;
	__u32 slot = 0;

	if (bpf_map_peek_elem(&tp_dead_slots, &slot))
		return false;
	state = bpf_map_lookup_elem(&tp_flow_state, &slot);
	if (!state || !slot_is_quiet(state, now, quiet) || bpf_map_pop_elem(&tp_dead_slots, &slot))
		return false;
	/* another CPU may have taken the one that was peeked at, and the next is younger */
	state = bpf_map_lookup_elem(&tp_flow_state, &slot);
	if (!state || !slot_is_quiet(state, now, quiet)) {
		bpf_map_push_elem(&tp_dead_slots, &slot, BPF_ANY);
		return false;
	}
	flow_bury(state, slot);
	return true;
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
		if (slot >= cursor->fresh) { /* not the limit: it may have been higher */
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
		if (!flow_bury_oldest(now, quiet))
			break;
	return 0;
}

/*
 * What each new flow does for the table. hurry: something has run out. Then the step is long, but
 * once a jiffy only: a flood must not buy work with packets.
 */
static __always_inline void flow_sweep(struct pkt *pkt, bool hurry)
{
	struct tp_slot_cursor *cursor = flow_cursor();
	__u32 steps = SWEEP_STEPS;

	if (hurry && cursor && cursor->hurried != (__u32)pkt->now) {
		cursor->hurried = (__u32)pkt->now;
		steps = SWEEP_STEPS_FULL;
	}
	flow_sweep_some(pkt->limits, pkt->now, steps);
	flow_bury_some(pkt->now, pkt->limits->second * TP_FLOW_QUIET_MS / 1000, steps);
}

static __always_inline bool flow_pop_slot(struct pkt *pkt, struct tp_slot_cursor *cursor,
					  __u32 *slot)
{
	if (cursor->live >= pkt->limits->flows)
		return false;
	if (!bpf_map_pop_elem(&tp_free_slots, slot))
		return true;
	if (cursor->fresh >= pkt->limits->flows)
		return false;
	*slot = __sync_fetch_and_add(&cursor->fresh, 1);
	return *slot < pkt->limits->flows;
}

/* A flow has found no slot or no port. */
static __always_inline void note_shortage(const struct pkt *pkt)
{
	struct tp_slot_cursor *cursor = flow_cursor();
	__u32 now = (__u32)pkt->now;

	count_flow(FLOW_REFUSED);
	if (cursor)
		cursor->refused = now ? now : 1;
}

/* Ports come back only with the flows that hold them, and no slot is asked for. */
static __always_inline void flow_free_ports(struct pkt *pkt)
{
	flow_sweep(pkt, true);
	half_open_make_room(pkt->limits, pkt->now, true);
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

	flow_sweep(pkt, false);
	half_open_make_room(pkt->limits, pkt->now, false);
	if (!flow_pop_slot(pkt, cursor, slot)) {
		flow_sweep(pkt, true);
		if (!flow_pop_slot(pkt, cursor, slot))
			return NULL;
	}
	return bpf_map_lookup_elem(&tp_flow_state, slot);
}

#endif
