/* SPDX-License-Identifier: GPL-2.0-only */
/* How delta.c and its parts divide the work; one family at a time. */
#ifndef TP_MODEL_DELTA_PARTS_H
#define TP_MODEL_DELTA_PARTS_H

#include "model/delta.h"
#include "model/overlay.h"

enum { AXIS_SRC, AXIS_DST, AXIS_PORT, AXES };
enum { DELTA_ALLOWED, DELTA_DENIED, DELTA_WAYS };

/* A pair of vectors, one of each policy. */
struct delta_bits {
	struct tp_rule_bits side[DELTA_SIDES];
};

/* The rules of both policies that no rule of the other one equals. */
int delta_find_changed(const struct overlay overlays[AXES],
		       const struct layout *const layouts[DELTA_SIDES], struct delta_bits *changed);

/*
 * One axis, of what a changed rule names only, grouped by those rules alone that may meet a
 * changed one.
 */
struct delta_axis {
	struct intern groups;          /* struct delta_bits */
	struct overlay_ranges ordered; /* ascending */
	struct overlay_ranges ranges;  /* by group, then ascending */
	size_t *first;                 /* of each group, and one more */
};

int delta_axis_build(const struct overlay *overlay, const struct layout *const layouts[DELTA_SIDES],
		     const struct delta_bits *changed, const struct delta_bits *relevant,
		     struct delta_axis *out);
void delta_axis_free(struct delta_axis *axis);

/* Narrows `relevant` to the rules that share a range of this axis with a changed rule. */
void delta_narrow(const struct overlay *overlay, const struct layout *const layouts[DELTA_SIDES],
		  const struct delta_bits *changed, struct delta_bits *relevant);

/* A set of port groups as bits; number 0 is the empty one. */
struct delta_judge {
	const struct tp_rule_bits *deny[DELTA_SIDES];
	size_t words;                 /* of one set */
	uint64_t *rules[DELTA_SIDES]; /* the port groups of each rule */
	uint64_t *scratch;            /* five sets */
	struct intern sets;
	struct delta_verdict *cache;
};

int delta_judge_begin(struct delta_judge *judge, const struct delta_axis *ports,
		      const struct layout *const layouts[DELTA_SIDES]);
/* Which ports fare otherwise where these rules match the addresses: a set each way. */
int delta_judge_cell(struct delta_judge *judge, const struct delta_bits *rules,
		     uint32_t out[DELTA_WAYS]);
void delta_judge_free(struct delta_judge *judge);

/* Which sources share one block: the same ports toward the same destinations. */
struct delta_member {
	uint32_t block, src;
};

struct delta_grid {
	struct intern blocks[DELTA_WAYS]; /* uint32_t: set of ports, destinations */
	struct {
		ARRAY_OF(struct delta_member);
	} members[DELTA_WAYS];
};

int delta_grid_build(const struct delta_axis axes[AXES], const struct delta_bits *changed,
		     struct delta_judge *judge, struct delta_grid *out);
void delta_grid_free(struct delta_grid *grid);

/* Groups become ranges and matches. Appends. */
int delta_blocks_put(const struct delta_axis axes[AXES], const struct delta_judge *judge,
		     const struct delta_grid *grid, bool v4, int way, struct delta_blocks *out);
void delta_blocks_sort(struct delta_blocks *blocks);
void delta_blocks_free(struct delta_blocks *blocks);

#endif
