/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy's tests, in the kernel: real packets through the programs, before it goes live. */
#ifndef TP_KERNEL_BPF_JUDGE_H
#define TP_KERNEL_BPF_JUDGE_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/*
 * The program that judges packets by the grants alone, of those that are loaded. An fd that the
 * caller closes, or a negative errno.
 */
int bpf_judge_open(const struct bpf *bpf);

/*
 * Puts every probe of tables through the loaded program, by the tables of that generation. 0 when
 * each is judged as the probe says, by the same rule; -EBADMSG when one is not.
 */
int bpf_judge_probes(const struct bpf *bpf, uint64_t generation, const struct tables *tables,
		     struct err *err);

#endif
