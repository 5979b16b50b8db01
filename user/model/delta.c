// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet can only fare otherwise where a rule matches that the other policy does not have. So
 * what is looked at is what such rules name, and beside it only the rules that may meet them:
 * a policy of thousands of grants, one of them edited, is compared about as fast as it is read.
 */
#include "model/compile.h"
#include "model/delta.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "model/delta_parts.h"

/* One family under comparison. */
struct comparison {
	const struct layout *layouts[DELTA_SIDES];
	bool v4;
	struct overlay overlays[AXES];
	struct delta_bits changed;
	struct delta_axis axes[AXES];
	struct delta_judge judge;
	struct delta_grid grid;
};

static void comparison_free(struct comparison *c)
{
	int axis;

	for (axis = 0; axis < AXES; axis++) {
		overlay_free(&c->overlays[axis]);
		delta_axis_free(&c->axes[axis]);
	}
	delta_judge_free(&c->judge);
	delta_grid_free(&c->grid);
}

static int lay_over(struct comparison *c)
{
	const struct layout *a = c->layouts[DELTA_OLD], *b = c->layouts[DELTA_NEW];
	const struct pieces *src[] = { &a->src[c->v4], &b->src[c->v4] };
	const struct pieces *dst[] = { &a->dst[c->v4], &b->dst[c->v4] };
	const struct pieces *ports[] = { &a->ports, &b->ports };
	int r;

	r = overlay_add_family(&c->overlays[AXIS_SRC], src, c->v4);
	if (!r)
		r = overlay_add_family(&c->overlays[AXIS_DST], dst, c->v4);
	return r ? r : overlay_add_ports(&c->overlays[AXIS_PORT], ports, c->v4);
}

static int build_axes(struct comparison *c)
{
	struct delta_bits relevant;
	int axis, r = 0;

	memset(&relevant, 0xff, sizeof(relevant));
	for (axis = 0; axis < AXES; axis++)
		delta_narrow(&c->overlays[axis], c->layouts, &c->changed, &relevant);
	for (axis = 0; !r && axis < AXES; axis++)
		r = delta_axis_build(&c->overlays[axis], c->layouts, &c->changed, &relevant,
				     &c->axes[axis]);
	return r;
}

static int compare(struct comparison *c, struct delta *out)
{
	int r = lay_over(c);

	if (!r)
		r = delta_find_changed(c->overlays, c->layouts, &c->changed);
	if (!r)
		r = build_axes(c);
	if (!r)
		r = delta_judge_begin(&c->judge, &c->axes[AXIS_PORT], c->layouts);
	if (!r)
		r = delta_grid_build(c->axes, &c->changed, &c->judge, &c->grid);
	if (!r)
		r = delta_blocks_put(c->axes, &c->judge, &c->grid, c->v4, DELTA_ALLOWED,
				     &out->allowed);
	if (!r)
		r = delta_blocks_put(c->axes, &c->judge, &c->grid, c->v4, DELTA_DENIED,
				     &out->denied);
	return r;
}

static int compare_family(const struct layout layouts[DELTA_SIDES], bool v4, struct delta *out)
{
	AUTO_FREE struct comparison *c = mem_alloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->layouts[DELTA_OLD] = &layouts[DELTA_OLD];
	c->layouts[DELTA_NEW] = &layouts[DELTA_NEW];
	c->v4 = v4;
	r = compare(c, out);
	comparison_free(c);
	return r;
}

int delta_build(const struct policy *old_policy, const struct policy *new_policy, struct delta *out)
{
	const struct policy *const policies[DELTA_SIDES] = {
		[DELTA_OLD] = old_policy, [DELTA_NEW] = new_policy
	};
	struct tables tables[DELTA_SIDES] = { 0 };
	struct layout layouts[DELTA_SIDES] = { 0 };
	struct delta delta = { 0 };
	int r = 0, side, v4;

	for (side = 0; !r && side < DELTA_SIDES; side++) {
		r = compile_rules(policies[side], &tables[side]);
		if (!r)
			r = layout_build(&tables[side], &layouts[side]);
	}
	for (v4 = 1; !r && v4 >= 0; v4--)
		r = compare_family(layouts, v4, &delta);
	for (side = 0; side < DELTA_SIDES; side++) {
		layout_free(&layouts[side]);
		tables_free(&tables[side]);
	}

	if (r) {
		delta_free(&delta);
		return r;
	}
	delta_blocks_sort(&delta.allowed);
	delta_blocks_sort(&delta.denied);
	*out = delta;
	return 0;
}

void delta_free(struct delta *delta)
{
	delta_blocks_free(&delta->allowed);
	delta_blocks_free(&delta->denied);
}
