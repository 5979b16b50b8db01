// SPDX-License-Identifier: GPL-2.0-only
/* From the rules that match a pair of addresses to the ports that fare otherwise. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/delta_parts.h"

/* Most pairs of addresses are matched by one of few sets of rules; a miss costs only time. */
#define CACHE_SIZE 4096

struct delta_verdict {
	bool known;
	struct delta_bits rules;
	uint32_t sets[DELTA_WAYS];
};

static void set_rules(const struct tp_rule_bits *bits, uint64_t *rules, size_t words, uint32_t port)
{
	uint64_t left, in_word;

	for (left = bits->summary; left; left &= left - 1) {
		size_t word = (size_t)__builtin_ctzll(left);

		for (in_word = bits->words[word]; in_word; in_word &= in_word - 1) {
			size_t rule = word * 64 + (size_t)__builtin_ctzll(in_word);

			rules[rule * words + port / 64] |= 1ULL << (port % 64);
		}
	}
}

/* The transpose of the groups: from "rules of a port" to "ports of a rule". */
static void transpose(struct delta_judge *judge, const struct delta_axis *ports)
{
	uint32_t port;
	size_t size;
	int side;

	for (port = 0; port < ports->groups.items.count; port++) {
		const struct delta_bits *bits = intern_get(&ports->groups, port, &size);

		for (side = 0; side < DELTA_SIDES; side++)
			set_rules(&bits->side[side], judge->rules[side], judge->words, port);
	}
}

int delta_judge_begin(struct delta_judge *judge, const struct delta_axis *ports,
		      const struct layout *const layouts[DELTA_SIDES])
{
	uint32_t empty;
	int side;

	judge->words = (ports->groups.items.count + 63) / 64;
	judge->scratch = mem_alloc(5 * judge->words + 1, sizeof(*judge->scratch));
	judge->cache = mem_alloc(CACHE_SIZE, sizeof(*judge->cache));
	for (side = 0; side < DELTA_SIDES; side++) {
		const struct tables *tables = layouts[side]->tables;

		judge->deny[side] = &tables->classes.items[TP_CLASS_DENY];
		judge->rules[side] =
			mem_alloc(tables->rules.count * judge->words + 1, sizeof(uint64_t));
		if (!judge->rules[side])
			return -ENOMEM;
	}
	if (!judge->scratch || !judge->cache)
		return -ENOMEM;

	transpose(judge, ports);
	return intern_add(&judge->sets, judge->scratch, judge->words * sizeof(uint64_t), &empty);
}

void delta_judge_free(struct delta_judge *judge)
{
	int side;

	for (side = 0; side < DELTA_SIDES; side++)
		free(judge->rules[side]);
	free(judge->scratch);
	free(judge->cache);
	intern_free(&judge->sets);
}

/* What the rules of one side allow: all that accept, without all that deny. */
static void allow(const struct delta_judge *judge, const struct tp_rule_bits *bits, int side,
		  uint64_t *allowed, uint64_t *denied)
{
	size_t words = judge->words, i;
	uint64_t left, in_word;

	memset(allowed, 0, words * sizeof(*allowed));
	memset(denied, 0, words * sizeof(*denied));
	for (left = bits->summary; left; left &= left - 1) {
		size_t word = (size_t)__builtin_ctzll(left);

		for (in_word = bits->words[word]; in_word; in_word &= in_word - 1) {
			size_t bit = (size_t)__builtin_ctzll(in_word);
			const uint64_t *ports = judge->rules[side] + (word * 64 + bit) * words;
			bool deny = judge->deny[side]->words[word] >> bit & 1;
			uint64_t *to = deny ? denied : allowed;

			for (i = 0; i < words; i++)
				to[i] |= ports[i];
		}
	}
	for (i = 0; i < words; i++)
		allowed[i] &= ~denied[i];
}

static int judge_anew(struct delta_judge *judge, const struct delta_bits *rules,
		      uint32_t out[DELTA_WAYS])
{
	size_t words = judge->words, i;
	uint64_t *before = judge->scratch, *after = before + words, *denied = after + words;
	uint64_t *gained = denied + words, *lost = gained + words;
	int r;

	allow(judge, &rules->side[DELTA_OLD], DELTA_OLD, before, denied);
	allow(judge, &rules->side[DELTA_NEW], DELTA_NEW, after, denied);
	for (i = 0; i < words; i++) {
		gained[i] = after[i] & ~before[i];
		lost[i] = before[i] & ~after[i];
	}
	r = intern_add(&judge->sets, gained, words * sizeof(*gained), &out[DELTA_ALLOWED]);
	if (!r)
		r = intern_add(&judge->sets, lost, words * sizeof(*lost), &out[DELTA_DENIED]);
	return r;
}

static size_t cache_index(const struct delta_bits *rules)
{
	uint64_t hash = 0, left;
	int side;

	for (side = 0; side < DELTA_SIDES; side++) {
		const struct tp_rule_bits *bits = &rules->side[side];

		for (left = bits->summary; left; left &= left - 1) {
			int word = __builtin_ctzll(left);

			hash = (hash ^ bits->words[word] ^ (uint64_t)word) * 0x9e3779b97f4a7c15ULL;
			hash ^= hash >> 32;
		}
	}
	return hash % CACHE_SIZE;
}

int delta_judge_cell(struct delta_judge *judge, const struct delta_bits *rules,
		     uint32_t out[DELTA_WAYS])
{
	struct delta_verdict *verdict = &judge->cache[cache_index(rules)];
	int r = 0;

	if (!verdict->known || memcmp(&verdict->rules, rules, sizeof(*rules)) != 0) {
		verdict->known = false;
		r = judge_anew(judge, rules, verdict->sets);
		verdict->rules = *rules;
		verdict->known = !r;
	}
	memcpy(out, verdict->sets, sizeof(verdict->sets));
	return r;
}
