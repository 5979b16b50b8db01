/* SPDX-License-Identifier: GPL-2.0-only */
/* The policy swap: fill the idle slot of every table, then move the generation word. */
#ifndef TP_KERNEL_BPF_SWITCH_H
#define TP_KERNEL_BPF_SWITCH_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/*
 * Writes want->tables beside the live ones, where no packet looks, and puts their probes through
 * the loaded programs. In maps that were made anew it then writes the live ones, too: their
 * programs are attached before the switch. Whatever fails, nothing has changed; -EBADMSG as
 * bpf_judge_probes.
 */
int bpf_stage_policy(const struct bpf *bpf, const struct state *want, struct err *err);

/* Makes what was staged last live, with one store. */
int bpf_switch_policy(const struct bpf *bpf, const struct state *want, struct err *err);

/*
 * The policy that is live, as if it were new: each flow is looked at when its next packet comes,
 * and not a second later. Without one, nothing.
 */
int bpf_look_again(const struct bpf *bpf, struct err *err);

/* Which tunnel device the programs take for the tunnel; before they are attached. */
int bpf_note_tunnel(const struct bpf *bpf, uint32_t ifindex, struct err *err);

/* Which version the maps are of: TP_ABI, with TP_ABI_MOVING until all programs are. */
int bpf_note_abi(const struct bpf *bpf, uint32_t abi, struct err *err);

/* As if no programs had been loaded: the next plan loads them. */
int bpf_forget_object(const struct bpf *bpf, struct err *err);

/* Who and what was applied: names, hashes, time. The last write of an apply. */
int bpf_note_applied(const struct bpf *bpf, const struct state *want, struct err *err);

#endif
