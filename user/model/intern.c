// SPDX-License-Identifier: GPL-2.0-only
#include "model/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SLOTS_FIRST 256
#define ROOM_FIRST  4096
#define ALIGNMENT   8

/* FNV-1a; what follows the last byte is spread by the multiplication of the next one. */
static uint64_t hash_of(const uint8_t *bytes, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ULL;
		hash ^= hash >> 32;
	}
	for (; size; size--, bytes++)
		hash = (hash ^ *bytes) * 0x100000001b3ULL;
	return hash ^ hash >> 29;
}

static uint32_t *find_slot(const struct intern *intern, const void *bytes, size_t size,
			   uint64_t hash)
{
	size_t at = hash & (intern->slot_count - 1);

	for (; intern->slots[at]; at = (at + 1) & (intern->slot_count - 1)) {
		const struct intern_item *item = &intern->items.items[intern->slots[at] - 1];

		if (item->hash == hash && item->size == size &&
		    !memcmp(intern->bytes + item->offset, bytes, size))
			break;
	}
	return &intern->slots[at];
}

static int grow_slots(struct intern *intern)
{
	size_t i, at, count = intern->slot_count ? intern->slot_count * 2 : SLOTS_FIRST;
	uint32_t *slots = mem_alloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (i = 0; i < intern->items.count; i++) {
		at = intern->items.items[i].hash & (count - 1);
		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(intern->slots);
	intern->slots = slots;
	intern->slot_count = count;
	return 0;
}

static int grow_bytes(struct intern *intern, size_t size)
{
	size_t room = intern->room ? intern->room : ROOM_FIRST;
	uint8_t *bytes;

	while (room - intern->used < size)
		room *= 2;
	if (room == intern->room)
		return 0;
	bytes = realloc(intern->bytes, room);
	if (!bytes)
		return -ENOMEM;
	intern->bytes = bytes;
	intern->room = room;
	return 0;
}

static int append(struct intern *intern, const void *bytes, size_t size, uint64_t hash)
{
	size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	struct intern_item *item;
	int r = grow_bytes(intern, padded);

	if (r)
		return r;
	item = array_add(&intern->items);
	if (!item)
		return -ENOMEM;
	*item = (struct intern_item){ .offset = intern->used, .size = size, .hash = hash };
	memcpy(intern->bytes + intern->used, bytes, size);
	intern->used += padded;
	return 0;
}

int intern_add(struct intern *intern, const void *bytes, size_t size, uint32_t *number)
{
	uint64_t hash = hash_of(bytes, size);
	uint32_t *slot;
	int r = 0;

	if (intern->items.count * 2 >= intern->slot_count)
		r = grow_slots(intern);
	if (r)
		return r;

	slot = find_slot(intern, bytes, size, hash);
	if (!*slot) {
		r = append(intern, bytes, size, hash);
		if (r)
			return r;
		*slot = (uint32_t)intern->items.count;
	}
	*number = *slot - 1;
	return 0;
}

bool intern_find(const struct intern *intern, const void *bytes, size_t size, uint32_t *number)
{
	uint32_t slot = 0;

	if (intern->slot_count)
		slot = *find_slot(intern, bytes, size, hash_of(bytes, size));
	if (slot)
		*number = slot - 1;
	return slot != 0;
}

const void *intern_get(const struct intern *intern, uint32_t number, size_t *size)
{
	const struct intern_item *item = &intern->items.items[number];

	*size = item->size;
	return intern->bytes + item->offset;
}

void intern_free(struct intern *intern)
{
	array_clear(&intern->items);
	free(intern->bytes);
	free(intern->slots);
	memset(intern, 0, sizeof(*intern));
}
