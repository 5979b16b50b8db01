/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The socket of a userspace WireGuard process. All network namespaces share one directory of
 * them: the file system does not know about network namespaces.
 */
#ifndef TP_KERNEL_WG_UAPI_SOCKET_H
#define TP_KERNEL_WG_UAPI_SOCKET_H

#include <stddef.h>

#include "base/err.h"

/* A connection, or -ENOENT (no socket file) or -ECONNREFUSED (a file, but nobody listens). */
int wg_uapi_connect(const char *ifname);

/* Removes the socket file if nobody listens on it. -EADDRINUSE when somebody does. */
int wg_uapi_remove_stale(const char *ifname, struct err *err);

/*
 * One request and its whole answer, wiped and freed by the caller (wg_uapi_free). What the answer
 * says is for wg_uapi_read. The connection stays open for the next one; after a failure there is
 * none. *fd is -1 where there is none yet, and the caller closes it.
 */
int wg_uapi_exchange(int *fd, const char *ifname, const char *request, char **answer,
		     size_t *length, struct err *err);

#endif
