/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching the programs. Those of tc: a pinned tcx link where the kernel has tcx (6.6), placed
 * before what is there; else a filter of our own priority and handle on a clsact qdisc. XDP: see
 * bpf_xdp.h.
 */
#ifndef TP_KERNEL_BPF_LINKS_H
#define TP_KERNEL_BPF_LINKS_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/facts.h"
#include "model/state.h"

/*
 * Attaches the loaded program of a hook to a device (by attachment->device, its ifindex looked
 * up now), or puts it in place of the one that is there. The device has its row in tp_devices,
 * where a clsact qdisc that had to be made is noted for `down`.
 */
int bpf_attach(const struct bpf *bpf, const struct state_attachment *attachment, struct err *err);

/* Takes ours away; nothing there is success. An empty qdisc goes if remove_qdisc. */
int bpf_detach(const struct bpf *bpf, const struct state_attachment *attachment, bool remove_qdisc,
	       struct err *err);

/* A clsact qdisc of our making, if nobody has moved in. One that is gone is success. */
int bpf_remove_qdisc(uint32_t ifindex, struct err *err);

/* Whether any program of this instance is attached, in whichever namespace. */
bool bpf_is_attached(const struct bpf *bpf);

/*
 * Fills have->attachments with what is really attached, to whichever device: also what a crash
 * left behind. Sorted as state.h says.
 */
int bpf_read_attachments(const struct bpf *bpf, const struct facts *facts, struct state *have,
			 struct err *err);

#endif
