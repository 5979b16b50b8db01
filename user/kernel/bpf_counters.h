/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of peers and routes, whose maps give way to larger ones. Until no program counts in the
 * smaller one any more, a counter is what both say.
 */
#ifndef TP_KERNEL_BPF_COUNTERS_H
#define TP_KERNEL_BPF_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/array.h"
#include "kernel/bpf_object.h"

/* Zeroed; bpf_counters_close it, whatever opening gave. */
struct bpf_counters {
	ARRAY_OF(int) fds; /* the map's, then those of the ones before it */
};

/* 0 or a negative errno. */
int bpf_counters_open(const struct bpf *bpf, const char *map, struct bpf_counters *out);
void bpf_counters_close(struct bpf_counters *counters);
/* A row, as bpf_read_percpu does. */
int bpf_counters_read(const struct bpf_counters *counters, uint32_t row, void *out, size_t size);

/* The row is another one's from now on: it begins at 0, in all maps. */
int bpf_counters_clear(const struct bpf *bpf, const char *map, uint32_t row, struct err *err);

/* Takes over what the maps before this one have counted; no program counts in them any more. */
int bpf_counters_carry(const struct bpf *bpf, const char *map, struct err *err);

#endif
