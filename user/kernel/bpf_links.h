/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching the tc programs: a pinned tcx link where the kernel has tcx (6.6), placed before
 * what is there; else a filter of our own priority and handle on a clsact qdisc.
 */
#ifndef TP_KERNEL_BPF_LINKS_H
#define TP_KERNEL_BPF_LINKS_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/facts.h"
#include "model/state.h"

enum bpf_attach_mode { ATTACH_AUTO, ATTACH_TCX, ATTACH_CLSACT };

/*
 * Attaches the loaded program of a hook to a device (by attachment->device, its ifindex looked
 * up now), or puts it in place of the one that is there. made_qdisc tells whether a clsact qdisc
 * had to be made, which the caller remembers for bpf_detach.
 */
int bpf_attach(const struct bpf *bpf, const struct state_attachment *attachment,
	       enum bpf_attach_mode mode, bool *made_qdisc, struct err *err);

/* Takes ours away; nothing there is success. An empty qdisc goes if remove_qdisc. */
int bpf_detach(const struct bpf *bpf, const struct state_attachment *attachment, bool remove_qdisc,
	       struct err *err);

/*
 * Fills have->attachments with what is really attached, to whichever device: also what a crash
 * left behind. Sorted as state.h says.
 */
int bpf_read_attachments(const struct bpf *bpf, const struct facts *facts, struct state *have,
			 struct err *err);

#endif
