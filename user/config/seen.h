/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a file has named so far, and where: finds repeated keys, names, addresses. A balanced tree,
 * so that no choice of keys makes it slow; in two arrays, so that a hundred thousand of them leave
 * no holes between what is read meanwhile and stays.
 */
#ifndef TP_CONFIG_SEEN_H
#define TP_CONFIG_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"

struct sighting {
	const void *key;
	size_t length;
	int kind;          /* the caller's */
	const char *owner; /* whose it is; may be NULL */
	const char *place; /* may be NULL */
};

struct seen_node {
	uint32_t left, right; /* indexes, 0 = none: the first node is a sentinel */
	uint32_t level;
	int kind;
	size_t key; /* offset into bytes; the owner follows and then the place */
	size_t key_length, owner_size, place_size;
};

struct seen {
	ARRAY_OF(struct seen_node) nodes;
	ARRAY_OF(char) bytes;
	uint32_t root;
};

/*
 * Remembers a copy of `sighting`, or, when the key was met before, fills *first with what was
 * remembered then (its pointers are valid until the next is added); else first->key is NULL. 0 or
 * -ENOMEM.
 */
int seen_add(struct seen *seen, const struct sighting *sighting, struct sighting *first);
/* What was remembered for this key; false: nothing. */
bool seen_find(const struct seen *seen, const void *key, size_t length, struct sighting *out);
void seen_free(struct seen *seen);

#endif
