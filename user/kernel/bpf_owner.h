/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_KERNEL_BPF_OWNER_H
#define TP_KERNEL_BPF_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/bpf_object.h"

/*
 * Whether a loaded program is this instance's to replace or remove: it has that name and uses
 * our pinned tp_state, or one that no instance has pinned any more (a crash left it behind).
 * Another instance's program is not, even on a device that we share.
 */
bool bpf_owns_program(const struct bpf *bpf, uint32_t program_id, const char *name);

/* Whether it is a program of any instance's for that hook. */
bool bpf_is_towpath(uint32_t program_id, enum state_hook hook);

/*
 * A program of that name that uses our pinned tp_state: its fd, which the caller closes. -ENOENT:
 * there is none; -EEXIST: there are several that differ, as after an upgrade that was killed.
 */
int bpf_find_program(const struct bpf *bpf, const char *name);

/* Calls visit for every loaded program of a hook that uses our pinned tp_state, attached or not. */
void bpf_each_program(const struct bpf *bpf, void (*visit)(uint32_t program_id, void *data),
		      void *data);

/* Whether a program is loaded that uses our pinned tp_state, in whichever namespace. */
bool bpf_has_programs(const struct bpf *bpf);

#endif
