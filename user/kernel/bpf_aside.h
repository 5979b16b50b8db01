/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps that were put aside: newer ones have their names, but there may be programs that use them
 * still. Their pins keep them, "old<id>_<name>"; without one the kernel would empty tp_stages.
 */
#ifndef TP_KERNEL_BPF_ASIDE_H
#define TP_KERNEL_BPF_ASIDE_H

#include <stdbool.h>

#include "base/err.h"
#include "kernel/bpf_object.h"

/* Of a pin's name. */
bool bpf_is_put_aside(const char *pin);

/* Frees the map's name. That it is not there is success. */
int bpf_put_aside(const struct bpf *bpf, const char *map, struct err *err);

/* Whether there is any. */
bool bpf_has_aside(const struct bpf *bpf);

/* Calls each for every map put aside that had the name, until it is negative; it lends the fd. */
int bpf_each_aside(const struct bpf *bpf, const char *map, int (*each)(int fd, void *data),
		   void *data);

/* Once no program uses them. */
int bpf_remove_aside(const struct bpf *bpf, struct err *err);

#endif
