/* SPDX-License-Identifier: GPL-2.0-only */
/* UDP sockets of the network namespace that the caller is in, over sock_diag. */
#ifndef TP_KERNEL_NL_UDP_H
#define TP_KERNEL_NL_UDP_H

#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/err.h"
#include "towpath/addr.h"

struct nl_udp_socket {
	uint64_t cookie;
	struct tp_addr peer;
	uint8_t family; /* AF_INET6 also where it talks to a mapped address */
	struct inet_diag_sockid id;
};

struct nl_udp_sockets {
	ARRAY_OF(struct nl_udp_socket);
};

/* Adds those that are connected. -ENOENT: the kernel tells of none (CONFIG_INET_UDP_DIAG). */
int nl_udp_find(struct nl_udp_sockets *out, struct err *err);

/*
 * Its next call fails with ECONNABORTED, and it is connected no more. One that is closed or
 * connected elsewhere by now is left alone. -EOPNOTSUPP: no CONFIG_INET_DIAG_DESTROY.
 */
int nl_udp_close(const struct nl_udp_socket *socket, struct err *err);

/* Whether both are possible; what was found out once is remembered. */
bool nl_udp_can_close(void);

#endif
