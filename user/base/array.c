// SPDX-License-Identifier: GPL-2.0-only
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

void *array_grow(void **items, size_t *count, size_t *capacity, size_t size)
{
	char *slot;

	if (*count == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 8;
		void *grown = reallocarray(*items, wanted, size);

		if (!grown)
			return NULL;
		*items = grown;
		*capacity = wanted;
	}

	slot = (char *)*items + *count * size;
	memset(slot, 0, size);
	(*count)++;
	return slot;
}

void array_reset(void **items, size_t *count, size_t *capacity)
{
	free(*items);
	*items = NULL;
	*count = 0;
	*capacity = 0;
}
