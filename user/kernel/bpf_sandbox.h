/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs once more, beside the attached ones: they judge by the same tables, but what they
 * remember and count is their own. So a packet can be put through them that nobody sent, and
 * nothing of it is left.
 */
#ifndef TP_KERNEL_BPF_SANDBOX_H
#define TP_KERNEL_BPF_SANDBOX_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"
#include "towpath/flow.h"
#include "towpath/reason.h"

struct sandbox;

/* Loads the programs; tables, settings and devices are those of bpf. *out: sandbox_close it. */
int sandbox_open(const struct bpf *bpf, struct sandbox **out, struct err *err);
void sandbox_close(struct sandbox *sandbox); /* NULL is fine */

/* Copies all NAT mappings, so that a new flow is given what it would be given outside. */
int sandbox_copy_mappings(struct sandbox *sandbox, const struct bpf *bpf, struct err *err);
/* Copies the live flow that has this key. 1: there was one; 0: none. */
int sandbox_copy_flow(struct sandbox *sandbox, const struct bpf *bpf, const struct tp_flow_key *key,
		      struct err *err);

int sandbox_program_fd(const struct sandbox *sandbox, enum state_hook hook);
int sandbox_judge_fd(const struct sandbox *sandbox);

/* Why the one packet that was put through ended. */
int sandbox_read_reason(const struct sandbox *sandbox, enum tp_reason *out, struct err *err);
/*
 * The flow that is there behind the packet. 1: the one that was copied; 2: one that it opened; 0:
 * none, and *out is untouched.
 */
int sandbox_read_flow(const struct sandbox *sandbox, struct tp_flow_state *out, struct err *err);

#endif
