/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XDP on LAN devices: a pinned link, run by the driver where it can, by the generic code of the
 * kernel where not. A device has room for one XDP program, and somebody else's always stays.
 */
#ifndef TP_KERNEL_BPF_XDP_H
#define TP_KERNEL_BPF_XDP_H

#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/facts.h"
#include "model/state.h"

/*
 * Attaches the loaded program in the mode that attachment->xdp names, or puts it in place of ours
 * that is there. -EBUSY: somebody else's is there. -EOPNOTSUPP: native, and the driver refuses.
 */
int bpf_xdp_attach_lan(const struct bpf *bpf, const struct state_attachment *attachment,
		       uint32_t ifindex, struct err *err);

/* Takes ours away; nothing there is success. */
int bpf_xdp_detach_lan(const struct bpf *bpf, const struct state_attachment *attachment,
		       struct err *err);

/* Of the programs in facts, leaves those that are not in have, and finds out their names. */
void bpf_xdp_leave_foreign(const struct state *have, struct facts *facts);

#endif
