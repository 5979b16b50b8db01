/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps whose size is the policy's to say. A map keeps the size that it was made with. */
#ifndef TP_KERNEL_BPF_SIZE_H
#define TP_KERNEL_BPF_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

struct bpf_object;

/* How many rows a pinned map has room for; 0: there is none. */
uint32_t bpf_map_size(const struct bpf *bpf, const char *name);

/* How many rows of counters the maps have that are there. */
struct state_room bpf_read_room(const struct bpf *bpf);

/* Whether a map of counters is too small for want: then a larger one takes its place. */
bool bpf_is_outgrown(const struct bpf *bpf, const struct state *want, const char *name);

/* For a new object's maps, those included that are pinned and will be reused. */
int bpf_set_sizes(const struct bpf *bpf, struct bpf_object *object, const struct state *want,
		  struct err *err);

/*
 * -EBUSY when the maps of flows have not the room that want needs: they cannot grow. They may have
 * more: tp_limits says how much of it is used.
 */
int bpf_check_sizes(const struct bpf *bpf, const struct state *want, struct err *err);

#endif
