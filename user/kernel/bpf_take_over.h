/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking over what an older version has set up, with its flows. Programs of both share the maps
 * that matter: flows, mappings, counters, what `down` puts back. So there is nothing to copy, and
 * nothing is lost that is opened meanwhile. The other maps are made anew for the new programs, and
 * filled before the first of them is attached. The old programs go on with the old ones, whose
 * pins only change their name: without one the kernel would empty their tp_stages.
 */
#ifndef TP_KERNEL_BPF_TAKE_OVER_H
#define TP_KERNEL_BPF_TAKE_OVER_H

#include <stdbool.h>

#include "base/err.h"
#include "kernel/bpf_object.h"

struct bpf_object;

/* Whether the maps that are pinned are of an older version. No maps are of none. */
int bpf_is_older(const struct bpf *bpf, bool *out, struct err *err);

/* Of a map's name: whether it is made anew. */
bool bpf_is_renewed(const char *map);

/* Of a pin's name: whether it is a map's that was made anew, until no program is left of it. */
bool bpf_is_put_aside(const char *pin);

/*
 * Once the programs are loaded, with new maps that are pinned nowhere yet: pins these. From here on
 * no older version takes the instance for its own, and this one begins again until it has finished.
 */
int bpf_take_over(const struct bpf *bpf, const struct bpf_object *object, struct err *err);

/* Once no older program is attached. Nothing to do where nothing was taken over. */
int bpf_finish_take_over(const struct bpf *bpf, struct err *err);

#endif
