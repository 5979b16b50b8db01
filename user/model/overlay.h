/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two policies laid over each other on one axis (sources, destinations, or ports): the ranges
 * inside which both have one class, grouped by the pair of classes.
 */
#ifndef TP_MODEL_OVERLAY_H
#define TP_MODEL_OVERLAY_H

#include "model/intern.h"
#include "model/layout.h"

enum { DELTA_OLD, DELTA_NEW, DELTA_SIDES };

struct overlay_range {
	struct addr_range range;
	uint32_t group;
};

struct overlay_ranges {
	ARRAY_OF(struct overlay_range);
};

struct overlay {
	struct intern groups;         /* uint32_t[DELTA_SIDES]: the classes */
	struct overlay_ranges ranges; /* ascending */
};

/* Appends what lies in `span`. 0 or -ENOMEM. */
int overlay_add(struct overlay *overlay, const struct pieces *const sides[DELTA_SIDES],
		const struct addr_range *span);
/* All addresses of one family. */
int overlay_add_family(struct overlay *overlay, const struct pieces *const sides[DELTA_SIDES],
		       bool v4);
/* All protocols and ports that a packet of one family may have. */
int overlay_add_ports(struct overlay *overlay, const struct pieces *const sides[DELTA_SIDES],
		      bool v4);
void overlay_free(struct overlay *overlay);

#endif
