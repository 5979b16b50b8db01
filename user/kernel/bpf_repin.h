/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps that programs of ours still use and whose pins somebody has deleted. A load would make new
 * ones beside them, and flows would be in two places; so the same maps are pinned anew.
 */
#ifndef TP_KERNEL_BPF_REPIN_H
#define TP_KERNEL_BPF_REPIN_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/*
 * Lets a program hold the maps that none reads: what sysctls were before, whose peers are ours.
 * They are found by it then, and live as long, as those that it does read.
 */
int bpf_keep_own(const struct bpf_object *object, int program, struct err *err);

/* Fills have->unpinned. 0 or -ENOMEM: programs that cannot be looked at are none. */
int bpf_read_unpinned(const struct bpf *bpf, struct state *have);

/* Pins them, and empties have->unpinned. Programs that lost others of theirs are loaded again. */
int bpf_repin(const struct bpf *bpf, struct state *have, struct err *err);

#endif
