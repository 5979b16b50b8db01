/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments. Only the first has ports: what it was judged by and how it was translated is kept for
 * the others, which must come after it and belong to the flow that it was let through for. One that
 * comes before is refused: nothing is held back, and nothing leaves untranslated.
 */
#ifndef BPF_LIB_FRAG_H
#define BPF_LIB_FRAG_H

#include "lib/flow.h"
#include "lib/maps.h"
#include "lib/pkt.h"

/*
 * How long after its first fragment another is taken. A receiver waits 15 s (RFC 791) to 120 s
 * (RFC 1122 3.3.2), in IPv6 60 s (RFC 8200 4.5). But where a first fragment is lost, a reused
 * identification ties fragments to the wrong one (RFC 4963), so this is nearer the lower end: what
 * Linux waits for IPv4.
 */
#define FRAG_SECONDS 30

static __always_inline void frag_key(const struct pkt *pkt, struct tp_frag_key *key)
{
	key->src = pkt->key.src;
	key->dst = pkt->key.dst;
	key->id = pkt->frag_id;
	key->proto = pkt->v6 ? 0 : pkt->key.proto;
	key->way = pkt->frag_way;
	key->pad = 0;
}

#define FRAG_NOBODYS 0 /* instead of a slot's generation, which is odd where it is in use */

static __always_inline bool frag_is_younger(const struct pkt *pkt, const struct tp_frag *frag,
					    __u32 seconds)
{
	/* another CPU may have stored a later `seen` than our `now`: hence the sign */
	return (__s32)((__u32)pkt->now - frag->seen) <=
	       (__s32)(seconds * (__u32)pkt->limits->second);
}

/* No key is built for this: the stack is short where flows are opened. */
static __always_inline bool frag_is_of(const struct pkt *pkt, const struct tp_frag *frag,
				       const struct tp_flow_key *key)
{
	return frag->sport == key->sport && frag->dport == key->dport &&
	       frag->proto == key->proto && frag->answer == key->answer &&
	       pkt->key.side == key->side && addr_same(&pkt->key.src, &key->src) &&
	       addr_same(&pkt->key.dst, &key->dst);
}

static __always_inline bool frag_differs(const struct tp_flow *a, const struct tp_flow *b)
{
	return !addr_same(&a->src, &b->src) || !addr_same(&a->dst, &b->dst);
}

/*
 * What followed that first fragment would be given other addresses than what follows this one. Its
 * flow may have died since, but a slot is not used again for TP_FLOW_QUIET_MS, and nobody asks for
 * longer.
 */
static __always_inline bool frag_goes_elsewhere(const struct pkt *pkt, const struct tp_frag *other,
						const struct tp_flow *flow)
{
	__u32 slot = other->slot;
	const struct tp_flow_state *state = bpf_map_lookup_elem(&tp_flow_state, &slot);

	if (!state)
		return false;
	if (frag_is_of(pkt, other, &state->way[TP_OPENER].key))
		return frag_differs(&state->way[TP_OPENER].to, flow);
	return frag_is_of(pkt, other, &state->way[TP_ANSWERER].key) &&
	       frag_differs(&state->way[TP_ANSWERER].to, flow);
}

/*
 * Two datagrams with one key are on their way at once: their sender is several hosts behind one
 * address, of which each counts for itself. Whose a later fragment is nobody can tell. A single
 * host does not come round to the same identification within a second.
 */
static __always_inline bool frag_is_ambiguous(const struct pkt *pkt, const struct tp_frag_key *key,
					      const struct tp_flow *flow)
{
	const struct tp_frag *other = bpf_map_lookup_elem(&tp_frags, key);

	if (!other || !frag_is_younger(pkt, other, 1))
		return false;
	return other->slot_gen == FRAG_NOBODYS || frag_goes_elsewhere(pkt, other, flow);
}

static __noinline void frag_store(const struct pkt *pkt, const struct tp_flow *flow)
{
	struct tp_frag_key key;
	struct tp_frag frag;

	frag_key(pkt, &key);
	frag.slot = flow->slot;
	frag.slot_gen = frag_is_ambiguous(pkt, &key, flow) ? FRAG_NOBODYS : flow->slot_gen;
	frag.seen = (__u32)pkt->now;
	frag.sport = pkt->key.sport;
	frag.dport = pkt->key.dport;
	frag.end = pkt->frag_end;
	frag.proto = pkt->key.proto;
	frag.answer = pkt->key.answer;
	bpf_map_update_elem(&tp_frags, &key, &frag, BPF_ANY);
}

/* What was let through: of a first fragment. Should this fail, the others are refused. */
static __always_inline void frag_remember(const struct pkt *pkt, const struct tp_flow *flow)
{
	if (pkt->fragment && !pkt->frag_offset)
		frag_store(pkt, flow);
}

static __noinline int frag_find(struct pkt *pkt)
{
	struct tp_frag_key key;
	struct tp_frag *frag;

	frag_key(pkt, &key);
	frag = bpf_map_lookup_elem(&tp_frags, &key);
	if (!frag || !frag_is_younger(pkt, frag, FRAG_SECONDS))
		return TP_R_frag_unknown;
	if (pkt->frag_offset < frag->end)
		return TP_R_malformed;

	pkt->key.proto = frag->proto;
	pkt->key.sport = frag->sport;
	pkt->key.dport = frag->dport;
	pkt->key.answer = frag->answer;
	pkt->frag_slot = frag->slot;
	pkt->frag_slot_gen = frag->slot_gen;
	return GO_ON;
}

/*
 * Gives a later fragment the protocol and ports of its first; anything else has its own. One that
 * begins inside the first would overwrite what was judged (RFC 1858, RFC 5722).
 */
static __always_inline int frag_recall(struct pkt *pkt)
{
	return pkt->frag_offset ? frag_find(pkt) : GO_ON;
}

/* No later fragment, or one of this very flow, not of a dead one that had the same key. */
static __always_inline bool frag_follows(const struct pkt *pkt, const struct tp_flow *flow)
{
	return !pkt->frag_offset ||
	       (pkt->frag_slot == flow->slot && pkt->frag_slot_gen == flow->slot_gen);
}

#endif
