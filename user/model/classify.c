// SPDX-License-Identifier: GPL-2.0-only
#include "model/classify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SLOTS_FIRST 256

void rule_bits_set(struct tp_rule_bits *bits, uint32_t rule)
{
	bits->words[rule / 64] |= 1ULL << (rule % 64);
	bits->summary |= 1ULL << (rule / 64);
}

void rule_bits_or(struct tp_rule_bits *to, const struct tp_rule_bits *from)
{
	uint64_t left;

	for (left = from->summary; left; left &= left - 1) {
		int word = __builtin_ctzll(left);

		to->words[word] |= from->words[word];
	}
	to->summary |= from->summary;
}

/* FNV-1a by words that are not zero; the position goes in with each. */
static uint64_t bits_hash(const struct tp_rule_bits *bits)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	uint64_t left;

	for (left = bits->summary; left; left &= left - 1) {
		int word = __builtin_ctzll(left);

		hash = (hash ^ bits->words[word] ^ ((uint64_t)word << 58)) * 0x100000001b3ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

static bool bits_are_equal(const struct tp_rule_bits *a, const struct tp_rule_bits *b)
{
	return a->summary == b->summary && !memcmp(a, b, sizeof(*a));
}

/* The slot that holds this vector's class, or the free one where it belongs. */
static uint32_t *find_slot(const struct classes *classes, const struct tp_rule_bits *bits)
{
	size_t at = bits_hash(bits) & (classes->slot_count - 1);

	while (classes->slots[at] &&
	       !bits_are_equal(&classes->tables->classes.items[classes->slots[at] - 1], bits))
		at = (at + 1) & (classes->slot_count - 1);
	return &classes->slots[at];
}

static int grow_slots(struct classes *classes)
{
	struct classes grown = { .tables = classes->tables };
	uint32_t class_id;

	grown.slot_count = classes->slot_count ? classes->slot_count * 2 : SLOTS_FIRST;
	grown.slots = mem_alloc(grown.slot_count, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;

	for (class_id = 0; class_id < classes->tables->classes.count; class_id++) {
		uint32_t *slot = find_slot(&grown, &classes->tables->classes.items[class_id]);

		if (!*slot)
			*slot = class_id + 1;
	}
	free(classes->slots);
	classes->slots = grown.slots;
	classes->slot_count = grown.slot_count;
	return 0;
}

/* The class of a vector, a new one if nobody had it yet. */
static int class_find_or_add(struct classes *classes, const struct tp_rule_bits *bits,
			     uint32_t *out)
{
	struct tp_rule_bits *added;
	uint32_t *slot;
	int r;

	if (classes->tables->classes.count * 2 >= classes->slot_count) {
		r = grow_slots(classes);
		if (r)
			return r;
	}

	slot = find_slot(classes, bits);
	if (!*slot) {
		added = array_add(&classes->tables->classes);
		if (!added)
			return -ENOMEM;
		*added = *bits;
		*slot = (uint32_t)classes->tables->classes.count;
	}
	*out = *slot - 1;
	return 0;
}

/* They always stand there, also when they are equal: grow_slots finds the first of such. */
static int add_fixed(struct tables *tables, const struct tp_rule_bits *deny, bool only_logs)
{
	struct tp_rule_bits *added;
	uint32_t class_id;

	for (class_id = TP_CLASS_NONE; class_id < TP_CLASS_USER; class_id++) {
		added = array_add(&tables->classes);
		if (!added)
			return -ENOMEM;
		if (class_id == TP_CLASS_DENY)
			*added = *deny;
		if (class_id == TP_CLASS_LOG && only_logs)
			memset(added, 0xff, sizeof(*added));
	}
	return 0;
}

int classes_begin(struct classes *classes, struct tables *tables, const struct tp_rule_bits *deny,
		  bool only_logs)
{
	int r;

	memset(classes, 0, sizeof(*classes));
	classes->tables = tables;
	r = add_fixed(tables, deny, only_logs);
	return r ? r : grow_slots(classes);
}

void classes_free(struct classes *classes)
{
	free(classes->slots);
	memset(classes, 0, sizeof(*classes));
}

int classify_add_prefix(struct classify_entries *entries, const struct prefix *prefix,
			uint32_t owner)
{
	struct classify_entry *entry = array_add(entries);

	if (!entry)
		return -ENOMEM;

	entry->prefix = *prefix;
	entry->owner = owner;
	return 0;
}

const struct prefix classify_v4_space = { .addr = { .bytes = { [10] = 0xff, [11] = 0xff } },
					  .len = ADDR_MAPPED_BITS };

bool classify_surrounds_v4(const struct prefix *prefix)
{
	struct addr_range range = prefix_range(prefix);
	const struct addr *v4 = &classify_v4_space.addr;

	return prefix->len < ADDR_MAPPED_BITS && addr_compare(&range.first, v4) <= 0 &&
	       addr_compare(v4, &range.last) <= 0;
}

int classify_add_range(struct classify_entries *entries, const struct addr_range *range,
		       uint32_t owner)
{
	bool v4 = addr_is_v4(&range->first);
	struct prefix prefixes[ADDR_RANGE_PREFIX_MAX];
	size_t i, count;
	int r = 0;

	count = addr_range_prefixes(range, prefixes);
	for (i = 0; !r && i < count; i++) {
		if (prefix_is_v4(&prefixes[i]) != v4)
			continue; /* an IPv6 range that cuts exactly there */
		r = classify_add_prefix(entries, &prefixes[i], owner);
		if (!r && classify_surrounds_v4(&prefixes[i]))
			r = classify_add_prefix(entries, &classify_v4_space, CLASSIFY_NOBODY);
	}
	return r;
}

int classify_prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int r = (int)prefix_is_v4(b) - (int)prefix_is_v4(a);

	return r ? r : prefix_compare(a, b);
}

static int entry_compare(const void *a, const void *b)
{
	const struct classify_entry *x = a, *y = b;
	int r = classify_prefix_compare(&x->prefix, &y->prefix);

	return r ? r : (x->owner > y->owner) - (x->owner < y->owner);
}

/* The rows that contain the present one, outermost first. */
struct ancestors {
	size_t depth;
	struct {
		struct prefix prefix;
		struct tp_rule_bits bits;
	} at[129];
};

/* Opens the prefix: what does not contain it is left behind, the rest is where it begins. */
static struct tp_rule_bits *ancestors_push(struct ancestors *stack, const struct prefix *prefix)
{
	struct tp_rule_bits *bits;

	while (stack->depth && !prefix_contains(&stack->at[stack->depth - 1].prefix, prefix))
		stack->depth--;

	bits = &stack->at[stack->depth].bits;
	if (stack->depth)
		*bits = stack->at[stack->depth - 1].bits;
	else
		memset(bits, 0, sizeof(*bits));
	stack->at[stack->depth++].prefix = *prefix;
	return bits;
}

static int add_row(struct classes *classes, struct classify_rows *rows, const struct prefix *prefix,
		   const struct tp_rule_bits *bits)
{
	struct class_row *row = array_add(rows);

	if (!row)
		return -ENOMEM;

	row->prefix = *prefix;
	return class_find_or_add(classes, bits, &row->class_id);
}

static int walk(struct classes *classes, const struct classify_entries *entries,
		const struct tp_rule_bits *vectors, struct classify_rows *rows,
		struct ancestors *stack)
{
	const struct classify_entry *entry = entries->items;
	const struct classify_entry *end = entry + entries->count;
	int r = 0;

	while (!r && entry < end) {
		const struct prefix *prefix = &entry->prefix;
		struct tp_rule_bits *bits = ancestors_push(stack, prefix);

		for (; entry < end && prefix_is_equal(&entry->prefix, prefix); entry++)
			if (entry->owner != CLASSIFY_NOBODY)
				rule_bits_or(bits, &vectors[entry->owner]);
		r = add_row(classes, rows, prefix, bits);
	}
	return r;
}

int classify(struct classes *classes, struct classify_entries *entries,
	     const struct tp_rule_bits *vectors, struct classify_rows *rows)
{
	AUTO_FREE struct ancestors *stack = NULL;

	if (!entries->count)
		return 0;

	stack = mem_alloc(1, sizeof(*stack));
	if (!stack)
		return -ENOMEM;

	qsort(entries->items, entries->count, sizeof(*entries->items), entry_compare);
	return walk(classes, entries, vectors, rows, stack);
}
