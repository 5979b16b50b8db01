// SPDX-License-Identifier: GPL-2.0-only
#include "config/seen.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int compare(const void *left, const void *right)
{
	const struct sighting *a = left, *b = right;

	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return memcmp(a->key, b->key, a->length);
}

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* One block: the struct, then key, owner and place. */
static struct sighting *copy_of(const struct sighting *sighting)
{
	size_t owner_size = size_of(sighting->owner);
	size_t place_size = size_of(sighting->place);
	struct sighting *copy;
	char *room;

	copy = mem_alloc(1, sizeof(*copy) + sighting->length + owner_size + place_size);
	if (!copy)
		return NULL;

	room = (char *)(copy + 1);
	*copy = *sighting;
	copy->key = memcpy(room, sighting->key, sighting->length);
	room += sighting->length;
	if (sighting->owner)
		copy->owner = memcpy(room, sighting->owner, owner_size);
	room += owner_size;
	if (sighting->place)
		copy->place = memcpy(room, sighting->place, place_size);
	return copy;
}

int seen_add(struct seen *seen, const struct sighting *sighting, const struct sighting **first)
{
	const struct sighting *found = seen_find(seen, sighting->key, sighting->length);
	AUTO_FREE struct sighting *copy = NULL;

	if (found) {
		*first = found;
		return 0;
	}

	copy = copy_of(sighting);
	if (!copy || !tsearch(copy, &seen->root, compare))
		return -ENOMEM;
	(void)TAKE(copy); /* the tree's now */
	*first = NULL;
	return 0;
}

const struct sighting *seen_find(const struct seen *seen, const void *key, size_t length)
{
	const struct sighting wanted = { .key = key, .length = length };
	struct sighting **found = tfind(&wanted, &seen->root, compare);

	return found ? *found : NULL;
}

void seen_free(struct seen *seen)
{
	tdestroy(seen->root, free);
	seen->root = NULL;
}
