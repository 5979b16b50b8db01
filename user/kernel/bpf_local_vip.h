/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of tp_local_vips: where the local VIPs are that packets have met. */
#ifndef TP_KERNEL_BPF_LOCAL_VIP_H
#define TP_KERNEL_BPF_LOCAL_VIP_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/* Fills have->found_vips; all of it is the caller's (state_free). */
int bpf_read_local_vips(const struct bpf *bpf, struct state *have, struct err *err);
int bpf_set_local_vip(const struct bpf *bpf, const struct local_vip_row *row, struct err *err);
int bpf_remove_local_vip(const struct bpf *bpf, const struct tp_addr *addr, struct err *err);

#endif
