/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Half-open flows: of TCP until both SYNs are acknowledged, of any other protocol until an answer
 * has come. They wait in the order they began, more or less: one that is taken out and may stay
 * goes to the end. When the table or the ports of NAT run short, the first that is old enough goes.
 * What is not half-open any more never goes.
 *
 * A slot that was emptied serves again only after TP_FLOW_QUIET_MS. So room is made before none is
 * left: an eighth of the table is kept for slots that are free or will be, which lets that many
 * new flows in a second, however many are tried. And nobody is evicted before TP_HALF_OPEN_MS, or
 * a flood would leave no time for an honest handshake.
 */
#ifndef BPF_LIB_HALF_OPEN_H
#define BPF_LIB_HALF_OPEN_H

#include "lib/count.h"
#include "lib/flow.h"
#include "lib/maps.h"

#define HALF_OPEN_STEPS 8 /* looked at for each new flow */

/* What there is too little of. */
enum shortage { SHORT_OF_NOTHING, SHORT_OF_SLOTS, SHORT_OF_PORTS };

enum half_open_fate { STAYS, IS_GONE, IS_DUE };

/* Also other protocols than TCP: like netfilter, which evicts what is not "assured". */
static __always_inline bool flow_is_half_open(const struct tp_flow_state *state)
{
	if (state->kind == TP_FLOW_TCP_OPENING)
		return true;
	/* the kinds that are not TCP's stand behind it */
	return state->kind >= TP_FLOW_UDP && !state->way[TP_ANSWERER].packets;
}

static __always_inline void half_open_remember(__u32 slot, __u32 slot_gen, __u64 now)
{
	struct tp_half_open entry = { .slot = slot, .slot_gen = slot_gen, .born = (__u32)now };

	/* a full queue loses its oldest: one flow less that may be evicted */
	bpf_map_push_elem(&tp_half_open, &entry, BPF_EXIST);
}

static __always_inline enum half_open_fate half_open_fate(const struct tp_half_open *entry,
							  const struct tp_flow_state *state,
							  __u64 now, __u64 patience)
{
	if (state->gen != entry->slot_gen || !flow_is_half_open(state))
		return IS_GONE;
	/* signed: another CPU may have a later clock */
	return (__s32)((__u32)now - entry->born) > (__s32)patience ? IS_DUE : STAYS;
}

static __always_inline enum half_open_fate half_open_peek(__u64 now, __u64 patience)
{
	struct tp_half_open entry = {};
	struct tp_flow_state *state;
	__u32 slot;

	if (bpf_map_peek_elem(&tp_half_open, &entry))
		return STAYS;
	slot = entry.slot;
	state = bpf_map_lookup_elem(&tp_flow_state, &slot);
	return state ? half_open_fate(&entry, state, now, patience) : IS_GONE;
}

/*
 * Takes the oldest out, which may be another than the one that was peeked at: another CPU may
 * have been faster.
 */
static __always_inline void half_open_take(__u64 now, __u64 patience, enum shortage shortage)
{
	struct tp_half_open entry = {};
	struct tp_flow_state *state;
	enum half_open_fate fate;
	__u32 slot;

	if (bpf_map_pop_elem(&tp_half_open, &entry))
		return;
	slot = entry.slot;
	state = bpf_map_lookup_elem(&tp_flow_state, &slot);
	if (!state)
		return;
	fate = half_open_fate(&entry, state, now, patience);
	if (fate == IS_GONE)
		return;
	if (fate == STAYS || shortage == SHORT_OF_NOTHING ||
	    (shortage == SHORT_OF_PORTS && !state->mapping[0]))
		bpf_map_push_elem(&tp_half_open, &entry, BPF_EXIST);
	else if (flow_kill(state, slot, entry.slot_gen, now))
		count_flow(FLOW_EVICTED);
}

/* Forgets, or evicts, the oldest. False: it may stay, and so may all younger ones. */
__noinline int half_open_next(__u64 now, __u64 patience, __u32 shortage)
{
	enum half_open_fate fate = half_open_peek(now, patience);

	if (fate == STAYS || (fate == IS_DUE && shortage == SHORT_OF_NOTHING))
		return false;
	half_open_take(now, patience, shortage);
	return true;
}

static __always_inline enum shortage half_open_shortage(const struct tp_limits *limits, bool ports)
{
	struct tp_slot_cursor *cursor = flow_cursor();

	if (ports)
		return SHORT_OF_PORTS;
	if (cursor && cursor->live > limits->flows - limits->flows / 8)
		return SHORT_OF_SLOTS;
	return SHORT_OF_NOTHING;
}

/* Evicts as many as are due while something is short, and forgets those that are gone. */
__noinline int half_open_make_room(struct tp_limits *limits, __u64 now, bool ports)
{
	__u64 patience;
	__u32 i;

	if (!limits)
		return 0;
	patience = limits->second * TP_HALF_OPEN_MS / 1000;
	for (i = 0; i < HALF_OPEN_STEPS; i++)
		if (!half_open_next(now, patience, half_open_shortage(limits, ports)))
			break;
	return 0;
}

#endif
