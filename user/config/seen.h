/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a file has named so far, and where: finds repeated keys, names, addresses. A balanced tree,
 * so that no choice of keys makes it slow.
 */
#ifndef TP_CONFIG_SEEN_H
#define TP_CONFIG_SEEN_H

#include <stddef.h>

struct sighting {
	const void *key;
	size_t length;
	int kind;          /* the caller's */
	const char *owner; /* whose it is; may be NULL */
	const char *place; /* may be NULL */
};

struct seen {
	void *root;
};

/*
 * Remembers a copy of `sighting`, or, when the key was met before, points *first at what was
 * remembered then (valid until seen_free); else *first is NULL. 0 or -ENOMEM.
 */
int seen_add(struct seen *seen, const struct sighting *sighting, const struct sighting **first);
/* What was remembered for this key, or NULL. */
const struct sighting *seen_find(const struct seen *seen, const void *key, size_t length);
void seen_free(struct seen *seen);

#endif
