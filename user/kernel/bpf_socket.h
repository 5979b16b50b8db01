/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs of the socket load balancer, and their links to a cgroup. */
#ifndef TP_KERNEL_BPF_SOCKET_H
#define TP_KERNEL_BPF_SOCKET_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

/* Loads them and makes their maps, unless that is done. */
int bpf_load_socket(struct bpf *bpf, const struct state *want, struct err *err);

/*
 * Attaches all to want's cgroup. A link that is there is updated in place; one to another cgroup
 * goes when the new one is in force. Beside other tools' programs, never instead of them: -EPERM
 * when one of those was attached without flags, so that it tolerates none beside it.
 */
int bpf_attach_socket(struct bpf *bpf, const struct state *want, struct err *err);

/* Detaches what there is; nothing is success. */
int bpf_detach_socket(const struct bpf *bpf, struct err *err);

/* Fills have's link ids, and its cgroup when all links are to one. */
void bpf_read_socket_links(const struct bpf *bpf, struct state *have);

#endif
