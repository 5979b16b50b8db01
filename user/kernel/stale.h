/* SPDX-License-Identifier: GPL-2.0-only */
/* Connected UDP sockets of backends that are there no more. */
#ifndef TP_KERNEL_STALE_H
#define TP_KERNEL_STALE_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/services.h"

/*
 * Closes those that our programs have led to a backend which no service in `want` leads them to any
 * more, in every network namespace that has a name or a process and is not exempt. An unconnected
 * socket is led to another backend by its next datagram, and a TCP connection keeps what it has.
 */
int stale_close(const struct bpf *bpf, const struct socket_lb *want, struct err *err);

/* Whether the kernel lets us; what was found out once is remembered. */
bool stale_can_close(void);

#endif
