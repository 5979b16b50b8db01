/* SPDX-License-Identifier: GPL-2.0-only */
/* One link of a program of sockets, by its pin; and its place among other tools' programs. */
#ifndef TP_KERNEL_BPF_SOCKET_LINK_H
#define TP_KERNEL_BPF_SOCKET_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/services.h"

struct socket_link {
	uint32_t id;
	uint32_t program_id;
	uint64_t cgroup_id; /* 0: the cgroup is gone, or the link was detached */
};

/* The pinned link's fd, which the caller closes, or -1; all of *out is zero then. */
int bpf_socket_link_open(const struct bpf *bpf, enum socket_program program,
			 struct socket_link *out);

/* Whether the link still hangs on a cgroup. */
bool bpf_socket_link_is_alive(int fd);

/* A new link's fd, or a negative errno: before all programs that are there, or behind them. */
int bpf_socket_link_create(int program_fd, int cgroup_fd, enum socket_program program);

/* Pins it, in place of another one: that is the caller's to detach. */
int bpf_socket_link_pin(const struct bpf *bpf, int fd, enum socket_program program,
			struct err *err);

/* Detaches and unpins it; nothing there is success. */
int bpf_socket_link_remove(const struct bpf *bpf, enum socket_program program, struct err *err);

/*
 * Tries in a cgroup of its own below that one. -EOPNOTSUPP: the kernel cannot run a program before
 * those that are there, as hiding needs it. What was found out once is remembered.
 */
int bpf_socket_can_go_first(const char *cgroup, struct err *err);

/* Whether it hides, and so has to be the first of its hook. */
bool bpf_socket_goes_first(enum socket_program program);

/*
 * Whether the cgroup runs it where it belongs: what hides before all programs that are not ours,
 * what puts back behind them; others anywhere.
 */
bool bpf_socket_link_is_placed(const struct bpf *bpf, int cgroup_fd, enum socket_program program);

#endif
