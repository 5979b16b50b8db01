/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins are seen from every network namespace, what hangs on devices from one. tp_state says which.
 */
#ifndef TP_KERNEL_BPF_NETNS_H
#define TP_KERNEL_BPF_NETNS_H

#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_object.h"

/* The caller's network namespace; 0 when the kernel does not tell. Never used twice. */
uint64_t bpf_netns_cookie(void);

enum bpf_home {
	BPF_HOME_HERE,      /* or nothing is set up, or it is not known where */
	BPF_HOME_ELSEWHERE, /* another namespace, where our programs still run */
	BPF_HOME_GONE,      /* another one, and nothing is attached any more */
};

int bpf_find_home(const struct bpf *bpf, enum bpf_home *out, struct err *err);

#endif
