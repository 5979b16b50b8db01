/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of a longest-prefix table laid out flat: where each class begins. */
#ifndef TP_MODEL_PIECES_H
#define TP_MODEL_PIECES_H

#include "base/array.h"
#include "model/state.h"

/* From `first` on up to the next piece, every address has this class. */
struct piece {
	struct addr first;
	uint32_t class_id;
};

struct pieces {
	ARRAY_OF(struct piece); /* ascending; items[0] begins where the family begins */
};

/* One class that a set of addresses has, and an address of the set that has it. */
struct sample {
	uint32_t class_id;
	struct addr addr;
};

struct samples {
	ARRAY_OF(struct sample); /* one a class, the lowest address of it; by address */
};

/*
 * Lays out the rows of one family. Rows are sorted as classify makes them. Ports, which are laid
 * out like addresses, count as IPv6. 0 or -ENOMEM; *out is array_clear'ed.
 */
int pieces_build(const struct class_row *rows, size_t count, bool v4, struct pieces *out);

/* The piece an address lies in. */
const struct piece *pieces_find(const struct pieces *pieces, const struct addr *addr);

/* Adds every class that occurs in the range. Call samples_finish before reading. */
int pieces_sample(const struct pieces *pieces, const struct addr_range *range, struct samples *out);
void samples_finish(struct samples *samples);

#endif
