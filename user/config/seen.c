// SPDX-License-Identifier: GPL-2.0-only
/* An AA tree (Andersson, "Balanced search trees made simple", 1993). */
#include "config/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const struct seen *seen, const void *key, size_t length,
		   const struct seen_node *node)
{
	if (length != node->key_length)
		return length < node->key_length ? -1 : 1;
	return memcmp(key, seen->bytes.items + node->key, length);
}

static uint32_t find(const struct seen *seen, const void *key, size_t length)
{
	uint32_t at = seen->root;

	while (at) {
		const struct seen_node *node = &seen->nodes.items[at];
		int order = compare(seen, key, length, node);

		if (!order)
			break;
		at = order < 0 ? node->left : node->right;
	}
	return at;
}

/* ---- staying balanced ------------------------------------------------------------------------ */

/* A left child on its parent's level becomes the parent. */
static uint32_t skew(struct seen_node *nodes, uint32_t at)
{
	uint32_t left = nodes[at].left;

	if (nodes[left].level != nodes[at].level)
		return at;
	nodes[at].left = nodes[left].right;
	nodes[left].right = at;
	return left;
}

/* Of three in a row on one level the middle one rises. */
static uint32_t split(struct seen_node *nodes, uint32_t at)
{
	uint32_t right = nodes[at].right;

	if (nodes[nodes[right].right].level != nodes[at].level)
		return at;
	nodes[at].right = nodes[right].left;
	nodes[right].left = at;
	nodes[right].level++;
	return right;
}

static uint32_t insert(struct seen *seen, uint32_t at, uint32_t added)
{
	struct seen_node *nodes = seen->nodes.items;
	const struct seen_node *new = &nodes[added];

	if (!at)
		return added;
	if (compare(seen, seen->bytes.items + new->key, new->key_length, &nodes[at]) < 0)
		nodes[at].left = insert(seen, nodes[at].left, added);
	else
		nodes[at].right = insert(seen, nodes[at].right, added);
	return split(nodes, skew(nodes, at));
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static int append(struct seen *seen, const void *bytes, size_t size)
{
	char *room = array_extend(&seen->bytes, size);

	if (!room)
		return -ENOMEM;
	memcpy(room, bytes, size);
	return 0;
}

static int fill(struct seen *seen, const struct sighting *sighting, struct seen_node *out)
{
	int r;

	*out = (struct seen_node){
		.level = 1,
		.kind = sighting->kind,
		.key = seen->bytes.count,
		.key_length = sighting->length,
		.owner_size = size_of(sighting->owner),
		.place_size = size_of(sighting->place),
	};
	r = append(seen, sighting->key, sighting->length);
	if (!r && sighting->owner)
		r = append(seen, sighting->owner, out->owner_size);
	if (!r && sighting->place)
		r = append(seen, sighting->place, out->place_size);
	return r;
}

static struct sighting tell(const struct seen *seen, uint32_t at)
{
	const struct seen_node *node = &seen->nodes.items[at];
	const char *key = seen->bytes.items + node->key;
	const char *owner = key + node->key_length;

	return (struct sighting){
		.key = key,
		.length = node->key_length,
		.kind = node->kind,
		.owner = node->owner_size ? owner : NULL,
		.place = node->place_size ? owner + node->owner_size : NULL,
	};
}

int seen_add(struct seen *seen, const struct sighting *sighting, struct sighting *first)
{
	struct seen_node *node;
	int r;

	*first = (struct sighting){ 0 };
	if (seen_find(seen, sighting->key, sighting->length, first))
		return 0;
	if (!seen->nodes.count && !array_add(&seen->nodes))
		return -ENOMEM;
	node = array_add(&seen->nodes);
	r = node ? fill(seen, sighting, node) : -ENOMEM;
	if (!r)
		seen->root = insert(seen, seen->root, (uint32_t)seen->nodes.count - 1);
	return r;
}

bool seen_find(const struct seen *seen, const void *key, size_t length, struct sighting *out)
{
	uint32_t at = find(seen, key, length);

	if (at)
		*out = tell(seen, at);
	return at;
}

void seen_free(struct seen *seen)
{
	array_clear(&seen->nodes);
	array_clear(&seen->bytes);
	seen->root = 0;
}
