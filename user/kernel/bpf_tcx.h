/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our place among the programs of a device's tcx hook: before everybody else's. Whoever is there
 * may pass or take a packet that is ours to judge.
 */
#ifndef TP_KERNEL_BPF_TCX_H
#define TP_KERNEL_BPF_TCX_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/*
 * The name of somebody else's program that runs before ours, that of link fd; empty: there is
 * none. Other instances of towpath are not somebody else: two that both went first would never end.
 */
#define BPF_TCX_NAME_SIZE sizeof(((struct state_attachment *)0)->ahead)
void bpf_tcx_ahead(int fd, uint32_t ifindex, enum state_hook hook, char out[BPF_TCX_NAME_SIZE]);

/*
 * Attaches the loaded program first of all, by a pinned link. One that is there is updated in
 * place, or, when somebody got before it, replaced: for a moment both are there. -EINVAL: this
 * kernel has no tcx.
 */
int bpf_tcx_attach(const struct bpf *bpf, const struct state_attachment *attachment,
		   uint32_t ifindex, struct err *err);

#endif
