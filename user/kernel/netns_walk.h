/* SPDX-License-Identifier: GPL-2.0-only */
/* A visit to network namespaces, each once. One that is held by descriptors alone is not found. */
#ifndef TP_KERNEL_NETNS_WALK_H
#define TP_KERNEL_NETNS_WALK_H

#include "base/array.h"
#include "kernel/netns.h"

struct netns_walk {
	/*
	 * Called from within the namespace; name is what it has below /run/netns, or as the caller
	 * gave it; "" when it has none. 0 to go on, or a negative errno.
	 */
	int (*visit)(void *data, const struct netns_id *id, const char *name);
	void *data;
	int home; /* where the calling thread is before and after; -1 until netns_walk_open */
	ARRAY_OF(struct netns_id) seen;
};

bool netns_id_is_equal(const struct netns_id *a, const struct netns_id *b); /* not of none */

/* visit and data are set. 0 or a negative errno; netns_walk_close in either case. */
int netns_walk_open(struct netns_walk *walk);
void netns_walk_close(struct netns_walk *walk);

/* Each: 0, also where there is none (any more), or a negative errno. */
int netns_walk_path(struct netns_walk *walk, const char *path, const char *name);
int netns_walk_named(struct netns_walk *walk);     /* those below /run/netns */
int netns_walk_processes(struct netns_walk *walk); /* those of processes */

#endif
