/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is given a key of the flow table when several CPUs want it at once. The kernel cannot
 * replace or delete an entry only if it is still the one that was looked at, so:
 *
 * - An entry is put only where there is none (BPF_NOEXIST): one CPU wins.
 * - An entry is deleted only by the CPU that has marked it, and only that of a dead flow. Slot and
 *   generation are one word, no other flow ever has the same, and marking is a compare-and-swap.
 * - A flow is given its entries before it is alive: until then its slot's generation is one
 *   behind theirs.
 *
 * So a flow alive has all its entries, from its first moment to its last. A CPU that loses leaves
 * what it has put behind as a dead flow's, which the next one that wants the key takes away.
 */
#ifndef BPF_LIB_CLAIM_H
#define BPF_LIB_CLAIM_H

#include <linux/errno.h>

#include "lib/flow.h"
#include "lib/maps.h"

#define CLAIM_TRIES 3  /* an entry may have gone, or died, since it was in the way */
#define CLAIM_LOOKS 64 /* some microseconds, for what takes another CPU less than one */

enum claim {
	CLAIM_WON,
	CLAIM_LOST, /* to a flow alive, or to a CPU that is at it just now */
	CLAIM_NO_ROOM,
};

/* Which directions of a flow have one. */
enum flow_entries {
	ENTRY_FORWARD = 1 << TP_OPENER,
	ENTRY_REPLY = 1 << TP_ANSWERER,
	ENTRY_BOTH = ENTRY_FORWARD | ENTRY_REPLY,
};

/* The first two members of struct tp_flow_ref. */
union claim_owner {
	struct {
		__u32 slot;
		__u32 gen; /* odd; marked: one less, which no slot ever has again */
	};
	__u64 word;
};

_Static_assert(__builtin_offsetof(struct tp_flow_ref, slot) == 0 &&
		       __builtin_offsetof(struct tp_flow_ref, slot_gen) == 4,
	       "one word of an element, which the kernel aligns to eight bytes");

static __always_inline bool claim_swap(struct tp_flow_ref *entry, const union claim_owner *from,
				       const union claim_owner *to)
{
	__u64 *word = (void *)entry;

	return __sync_val_compare_and_swap(word, from->word, to->word) == from->word;
}

/*
 * Takes away the entry of a dead flow. Its memory can have been given to another key before it was
 * marked: hence the second look. False: it is not there any more, or another CPU is at it.
 */
static __always_inline bool claim_clear(const struct tp_flow_key *key, struct tp_flow_ref *entry,
					const union claim_owner *dead)
{
	union claim_owner marked = *dead;

	marked.gen--;
	if (!claim_swap(entry, dead, &marked))
		return false;
	if (bpf_map_lookup_elem(&tp_flows, key) == entry && !bpf_map_delete_elem(&tp_flows, key))
		return true;
	claim_swap(entry, &marked, dead);
	return false;
}

/* Whether the flow is dead. Not if it has yet to come alive, nor if its entry is marked. */
static __always_inline bool claim_is_dead(const union claim_owner *owner)
{
	__u32 slot = owner->slot, gen;
	const struct tp_flow_state *state = bpf_map_lookup_elem(&tp_flow_state, &slot);

	if (!state || !(owner->gen & 1))
		return false;
	gen = *(const volatile __u32 *)&state->gen;
	return gen != owner->gen && gen != owner->gen - 1;
}

/* Makes way for a new entry. False: what is there stays. */
static __always_inline bool claim_make_way(const struct tp_flow_key *key)
{
	struct tp_flow_ref *entry = bpf_map_lookup_elem(&tp_flows, key);
	union claim_owner owner;

	if (!entry)
		return true;
	owner.word = *(const volatile __u64 *)(const void *)entry;
	return claim_is_dead(&owner) && claim_clear(key, entry, &owner);
}

/* Puts the entry of a flow that is not alive yet. */
static __noinline int claim_key(const struct tp_flow_key *key, const struct tp_flow *flow,
				enum tp_flow_end way)
{
	struct tp_flow_ref entry = {
		.slot = flow->slot,
		.slot_gen = flow->slot_gen,
		.way = way,
	};
	int i, r; /* not long: before Linux 6.4 the upper half of the answer is not its sign */

	for (i = 0; i < CLAIM_TRIES; i++) {
		r = bpf_map_update_elem(&tp_flows, key, &entry, BPF_NOEXIST);
		if (r != -EEXIST)
			return r ? CLAIM_NO_ROOM : CLAIM_WON;
		if (!claim_make_way(key))
			return CLAIM_LOST;
	}
	return CLAIM_LOST;
}

/* Deletes the entry, unless the key is a younger flow's. */
static __always_inline void claim_give_up(const struct tp_flow_key *key, __u32 slot, __u32 slot_gen)
{
	struct tp_flow_ref *entry = bpf_map_lookup_elem(&tp_flows, key);
	union claim_owner owner = { { .slot = slot, .gen = slot_gen } };

	if (entry)
		claim_clear(key, entry, &owner);
}

/*
 * All entries that are asked for, out of the scratch, or not the flow. The key of the tunnel's side
 * comes first: so those who open one flow from its two ends want the same key first. Where both
 * keys are of one side, each of two CPUs may win one: then neither flow comes about, and the ends
 * have to send again. A global function, as the next: the verifier walks it once.
 */
__noinline int claim_entries(__u32 entries)
{
	struct tp_scratch *s = scratch_find();
	bool reply_first;
	int r = CLAIM_WON;

	if (!s)
		return CLAIM_NO_ROOM;
	reply_first = s->forward_key.side != TP_SIDE_TUNNEL;
	if (reply_first && (entries & ENTRY_REPLY))
		r = claim_key(&s->reply_key, &s->reply, TP_ANSWERER);
	if (r == CLAIM_WON && (entries & ENTRY_FORWARD))
		r = claim_key(&s->forward_key, &s->forward, TP_OPENER);
	if (r == CLAIM_WON && !reply_first && (entries & ENTRY_REPLY))
		r = claim_key(&s->reply_key, &s->reply, TP_ANSWERER);
	return r;
}

/*
 * Waits for the flow that another CPU may be opening under the key that its next packet is looked
 * up by. False: nothing comes of it.
 */
__noinline int claim_await(__u32 entries, __u32 looks)
{
	struct tp_scratch *s = scratch_find();
	struct tp_flow_state *state = NULL;
	__u32 i;

	if (!s)
		return false;
	for (i = 0; i < CLAIM_LOOKS && i < looks; i++)
		if (flow_find(entries & ENTRY_FORWARD ? &s->forward_key : &s->reply_key, &state))
			return true;
	return false;
}

#endif
