/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What towpath needs of a kernel, asked of the kernel itself and not of its version: vendors carry
 * features back, and leave some out. Asking changes nothing. That all is there does not promise
 * that the verifier takes the programs; this shows when they are loaded.
 */
#ifndef TP_KERNEL_BPF_FLOOR_H
#define TP_KERNEL_BPF_FLOOR_H

#include <stdbool.h>

#include "base/err.h"

/* Of these the newest of their kind only: what is older than one of them comes with it. */
enum bpf_need {
	NEED_TC_PROGRAMS,
	NEED_REDIRECT_NEIGH,
	NEED_ATOMICS,
	NEED_XDP_BUFF_LEN,
	NEED_TCX, /* when the user asks for it */
};
#define BPF_NEEDS 5

/* The needs that this kernel does not meet, a bit each (1 << need). Wants CAP_BPF. */
unsigned int bpf_floor_missing(bool tcx);

/* 0 when nothing is missing, else -EOPNOTSUPP and a sentence that names it. */
int bpf_floor_judge(unsigned int missing, const char *release, struct err *err);

#endif
