/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps of other versions: which of them this binary can do what with. */
#ifndef TP_KERNEL_BPF_ABI_H
#define TP_KERNEL_BPF_ABI_H

#include "base/err.h"
#include "kernel/bpf_object.h"

/* Whether maps with this number in tp_state are of a version that apply takes over from. */
bool bpf_abi_is_older(uint32_t abi);

/* 0 where bpf->abi puts up with maps of that number, else -EPROTO and what to do about it. */
int bpf_abi_check(const struct bpf *bpf, uint32_t abi, struct err *err);

/*
 * Whether rows of the pinned map are as large as we take them to be. Maps that `down` does not
 * look into are as they are.
 */
bool bpf_abi_has_our_rows(const char *map, int fd);

#endif
