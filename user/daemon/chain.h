/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a path can change under us: every directory whose entry decides what the path means. For
 * a ConfigMap's /etc/towpath/policy.json these are
 *
 *	/etc/towpath		policy.json	-> ..data/policy.json
 *	/etc/towpath		..data		-> ..2026_11_28
 *	/etc/towpath/..2026_11_28	policy.json	the file
 *
 * Directories that are no links themselves have no entry: whoever watches them also learns when
 * they are moved or deleted.
 */
#ifndef TP_DAEMON_CHAIN_H
#define TP_DAEMON_CHAIN_H

#include <stdbool.h>

#include "base/array.h"

#define CHAIN_LINKS_MAX 40 /* as many as the kernel follows */

/* Owned strings. */
struct chain_entry {
	char *directory; /* absolute */
	char *name;      /* the entry in it: a link, the file, or what is missing */
};

struct chain {
	ARRAY_OF(struct chain_entry);
};

/*
 * Walks an absolute path as the kernel does. It ends at what is missing or cannot be looked at,
 * which is then the last entry, or behind too many links. 0 or -ENOMEM, *out then empty.
 */
int chain_walk(const char *path, struct chain *out);
bool chain_has(const struct chain *chain, const char *directory, const char *name);
void chain_free(struct chain *chain);

#endif
