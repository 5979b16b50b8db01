// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which rules of two policies mean the same. A rule is known by the groups it is in: those rules
 * that no group of any axis tells apart match the same packets. So all rules begin in one cell
 * (that is, in two: accept and deny), and each group splits the cells it is in with a part only.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "model/classify.h"
#include "model/delta_parts.h"

#define MEMBERS_MAX (DELTA_SIDES * TP_RULE_MAX)
#define CELLS_MAX   (MEMBERS_MAX + 2) /* none is empty but perhaps the first two */

/* Rules of the old policy are members 0.., those of the new one follow at TP_RULE_MAX. */
struct partition {
	uint32_t cell[MEMBERS_MAX]; /* of each member */
	uint32_t size[CELLS_MAX];
	uint32_t touched[CELLS_MAX]; /* how many of the cell are in the present group */
	uint32_t split[CELLS_MAX];   /* the new cell of those */
	uint32_t cells;
	/* the present group's */
	uint32_t members[MEMBERS_MAX];
	uint32_t touched_cells[MEMBERS_MAX];
	size_t member_count, touched_count;
};

static void list_members(struct partition *p, const struct tp_rule_bits *bits, int side)
{
	uint64_t words, left;

	for (words = bits->summary; words; words &= words - 1) {
		uint32_t word = (uint32_t)__builtin_ctzll(words);

		for (left = bits->words[word]; left; left &= left - 1)
			p->members[p->member_count++] = (uint32_t)side * TP_RULE_MAX + word * 64 +
							(uint32_t)__builtin_ctzll(left);
	}
}

static void touch(struct partition *p)
{
	size_t i;

	p->touched_count = 0;
	for (i = 0; i < p->member_count; i++) {
		uint32_t cell = p->cell[p->members[i]];

		if (!p->touched[cell]++)
			p->touched_cells[p->touched_count++] = cell;
	}
}

/* Splits every cell of which the present members are a part and not the whole. */
static void refine(struct partition *p)
{
	size_t i;

	touch(p);
	for (i = 0; i < p->touched_count; i++) {
		uint32_t cell = p->touched_cells[i], part = p->touched[cell];

		p->touched[cell] = 0;
		p->split[cell] = cell;
		if (part == p->size[cell])
			continue;
		p->split[cell] = p->cells++;
		p->size[p->split[cell]] = part;
		p->size[cell] -= part;
	}
	for (i = 0; i < p->member_count; i++) {
		uint32_t *cell = &p->cell[p->members[i]];

		*cell = p->split[*cell];
	}
}

static void refine_axis(struct partition *p, const struct overlay *overlay,
			const struct layout *const layouts[DELTA_SIDES])
{
	uint32_t group;
	size_t size;
	int side;

	for (group = 0; group < overlay->groups.items.count; group++) {
		const uint32_t *classes = intern_get(&overlay->groups, group, &size);

		p->member_count = 0;
		for (side = 0; side < DELTA_SIDES; side++)
			list_members(p, &layouts[side]->tables->classes.items[classes[side]], side);
		refine(p);
	}
}

static void begin(struct partition *p, const struct layout *const layouts[DELTA_SIDES])
{
	uint32_t i;
	int side;

	p->cells = 2;
	for (side = 0; side < DELTA_SIDES; side++) {
		const struct tables *tables = layouts[side]->tables;
		const struct tp_rule_bits *deny = &tables->classes.items[TP_CLASS_DENY];

		for (i = 0; i < tables->rules.count; i++) {
			uint32_t cell = deny->words[i / 64] >> (i % 64) & 1;

			p->cell[side * TP_RULE_MAX + i] = cell;
			p->size[cell]++;
		}
	}
}

/* Changed is a rule whose cell has none of the other policy. Uses `touched` for who is there. */
static void find_lonely(struct partition *p, const struct layout *const layouts[DELTA_SIDES],
			struct delta_bits *changed)
{
	uint32_t i;
	int side;

	for (side = 0; side < DELTA_SIDES; side++)
		for (i = 0; i < layouts[side]->tables->rules.count; i++)
			p->touched[p->cell[side * TP_RULE_MAX + i]] |= 1U << side;
	for (side = 0; side < DELTA_SIDES; side++)
		for (i = 0; i < layouts[side]->tables->rules.count; i++)
			if (p->touched[p->cell[side * TP_RULE_MAX + i]] == 1U << side)
				rule_bits_set(&changed->side[side], i);
}

int delta_find_changed(const struct overlay overlays[AXES],
		       const struct layout *const layouts[DELTA_SIDES], struct delta_bits *changed)
{
	AUTO_FREE struct partition *p = mem_alloc(1, sizeof(*p));
	int axis;

	if (!p)
		return -ENOMEM;

	begin(p, layouts);
	for (axis = 0; axis < AXES; axis++)
		refine_axis(p, &overlays[axis], layouts);
	memset(changed, 0, sizeof(*changed));
	find_lonely(p, layouts, changed);
	return 0;
}
