/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs of sockets, and their links to a cgroup. */
#ifndef TP_KERNEL_BPF_SOCKET_H
#define TP_KERNEL_BPF_SOCKET_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/* Loads all of them and makes their maps, unless that is done. */
int bpf_load_sockets(struct bpf *bpf, const struct state *want, struct err *err);

/* Once they are loaded. */
int bpf_socket_program_fd(const struct bpf *bpf, enum socket_program program);

/* Whether their maps are all pinned: without one of them, attached programs read another. */
bool bpf_sockets_have_maps(const struct bpf *bpf);

/*
 * Attaches a set to want's cgroup. A link that is there, and where it belongs, is updated in place;
 * another goes when the new one is in force. Beside other tools' programs, never instead of them:
 * -EPERM when one of those was attached without flags, so that it tolerates none beside it. With
 * TP_HIDE_BELOW, what hides is attached to each cgroup right below that one.
 */
int bpf_attach_sockets(struct bpf *bpf, const struct state *want, enum socket_set set,
		       struct err *err);

/* Detaches what there is of a set; nothing is success. */
int bpf_detach_sockets(const struct bpf *bpf, enum socket_set set, struct err *err);

/*
 * Fills have's link ids, and where each set is in force: all of it attached to one cgroup; and of
 * those that hide, all others' programs between the two of each hook. After bpf_read_rows.
 */
int bpf_read_sockets(const struct bpf *bpf, struct state *have, struct err *err);

#endif
