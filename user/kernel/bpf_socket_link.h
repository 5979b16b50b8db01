/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One link of a program of sockets, by its pin. It hangs on the cgroup of its set; or below is the
 * id of the cgroup right below that one which it hangs on, else 0.
 */
#ifndef TP_KERNEL_BPF_SOCKET_LINK_H
#define TP_KERNEL_BPF_SOCKET_LINK_H

#include <linux/bpf.h>
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
int bpf_socket_link_open(const struct bpf *bpf, enum socket_program program, uint64_t below,
			 struct socket_link *out);

/* Whether the link still hangs on a cgroup. */
bool bpf_socket_link_is_alive(int fd);

/*
 * A new link's fd, or a negative errno. first: before all programs that are there, -EINVAL where
 * the kernel cannot do that; else behind them.
 */
int bpf_socket_link_create(int program_fd, int cgroup_fd, enum socket_program program, bool first);

/* Pins it, in place of another one: that is the caller's to detach. */
int bpf_socket_link_pin(const struct bpf *bpf, int fd, enum socket_program program, uint64_t below,
			struct err *err);

/* Detaches and unpins it; nothing there is success. */
int bpf_socket_link_remove(const struct bpf *bpf, enum socket_program program, uint64_t below,
			   struct err *err);

/* Likewise all that hang below, but on the cgroups of keep; NULL: on any. */
int bpf_socket_links_remove_below(const struct bpf *bpf, const struct socket_belows *keep,
				  struct err *err);

/* BPF_CGROUP_INET4_CONNECT and so on. */
enum bpf_attach_type bpf_socket_attach_type(enum socket_program program);

#endif
