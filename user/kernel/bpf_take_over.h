/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs on maps other than those that are there, without an end to flows: an older version set
 * these up, or those of counters have too few rows. Old and new programs share the maps that
 * matter: flows, mappings, what `down` puts back. So there is nothing to copy, and nothing is lost
 * that is opened meanwhile. The other maps are made anew for the new programs, and filled before
 * the first of them is attached; the old programs go on with the old ones (bpf_aside.h).
 */
#ifndef TP_KERNEL_BPF_TAKE_OVER_H
#define TP_KERNEL_BPF_TAKE_OVER_H

#include <stdbool.h>

#include "base/err.h"
#include "kernel/bpf_object.h"

struct bpf_object;

/* Why maps are made anew, as it is before programs are loaded. */
#define BPF_COUNTERS 2 /* maps of counters that may be too small */
struct bpf_renewal {
	bool older; /* they are an older version's */
	bool outgrown[BPF_COUNTERS];
	bool grows; /* any of these */
};

int bpf_find_renewal(const struct bpf *bpf, const struct state *want, struct bpf_renewal *out,
		     struct err *err);

/* Of a map's name: whether it is made anew. NULL: none is. */
bool bpf_is_renewed(const struct bpf_renewal *renewal, const char *map);

/*
 * Once the programs are loaded, with new maps that are pinned nowhere yet: pins these. From here on
 * no older version takes the instance for its own, and this one begins again until it has finished.
 */
int bpf_take_over(const struct bpf *bpf, const struct bpf_object *object,
		  const struct bpf_renewal *renewal, struct err *err);

/* Once no other program is attached. Nothing to do where nothing was taken over. */
int bpf_finish_take_over(const struct bpf *bpf, struct err *err);

#endif
