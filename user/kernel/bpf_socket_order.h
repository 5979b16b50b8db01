/* SPDX-License-Identifier: GPL-2.0-only */
/* The place of our programs of sockets among other tools' in a cgroup. */
#ifndef TP_KERNEL_BPF_SOCKET_ORDER_H
#define TP_KERNEL_BPF_SOCKET_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/facts.h"
#include "model/services.h"

/* Whether it hides, and so has to be the first of its hook. */
bool bpf_socket_hides(enum socket_program program);

/*
 * Whether the cgroup of its set runs it where it belongs: what hides before all programs that are
 * not ours, what puts back behind them; others anywhere.
 */
bool bpf_socket_is_placed(const struct bpf *bpf, int cgroup_fd, enum socket_program program);

/* Of one that hides, in a cgroup below: whether no program but our kind comes before that id. */
bool bpf_socket_is_ahead(int cgroup_fd, enum socket_program program, uint32_t program_id);

/*
 * Tries in a cgroup of its own below that one where the kernel can run a program before those that
 * are there (BPF_F_PREORDER). What was found out once is remembered.
 */
int bpf_socket_find_order(const char *cgroup, enum facts_order *out, struct err *err);

#endif
