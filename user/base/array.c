// SPDX-License-Identifier: GPL-2.0-only
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

#define FIRST 2 /* most lists of a policy have one or two entries, and there are thousands */

void *array_make_room(void **items, size_t *count, size_t *capacity, size_t more, size_t size)
{
	size_t wanted = *capacity ? *capacity : FIRST;
	char *room;

	while (wanted - *count < more)
		wanted *= 2;
	if (wanted != *capacity) {
		void *grown = reallocarray(*items, wanted, size);

		if (!grown)
			return NULL;
		*items = grown;
		*capacity = wanted;
	}

	room = (char *)*items + *count * size;
	*count += more;
	return room;
}

void *array_grow(void **items, size_t *count, size_t *capacity, size_t size)
{
	void *slot = array_make_room(items, count, capacity, 1, size);

	return slot ? memset(slot, 0, size) : NULL;
}

void array_shrink(void **items, size_t count, size_t *capacity, size_t size)
{
	void *fitting = count && count < *capacity ? realloc(*items, count * size) : NULL;

	if (!fitting)
		return; /* it fits, or stays as large as it is */
	*items = fitting;
	*capacity = count;
}

void array_reset(void **items, size_t *count, size_t *capacity)
{
	free(*items);
	*items = NULL;
	*count = 0;
	*capacity = 0;
}
