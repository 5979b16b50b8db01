/* SPDX-License-Identifier: GPL-2.0-only */
/* Gives equal strings of bytes one number, counted from 0 in the order they first come. */
#ifndef TP_MODEL_INTERN_H
#define TP_MODEL_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"

struct intern_item {
	size_t offset, size;
	uint64_t hash;
};

struct intern {
	ARRAY_OF(struct intern_item) items;
	uint8_t *bytes; /* all of them, each aligned to 8 */
	size_t used, room;
	uint32_t *slots; /* open addressing by hash; number + 1, 0 = free */
	size_t slot_count;
};

/* 0 or -ENOMEM. */
int intern_add(struct intern *intern, const void *bytes, size_t size, uint32_t *number);
/* False when there are no such bytes. */
bool intern_find(const struct intern *intern, const void *bytes, size_t size, uint32_t *number);
/* Valid until the next intern_add. */
const void *intern_get(const struct intern *intern, uint32_t number, size_t *size);
void intern_free(struct intern *intern);

#endif
