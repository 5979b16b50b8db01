/* SPDX-License-Identifier: GPL-2.0-only */
/* The process behind a userspace tunnel: wireguard-go. No key passes through here. */
#ifndef TP_KERNEL_WG_PROCESS_H
#define TP_KERNEL_WG_PROCESS_H

#include "base/err.h"
#include "kernel/netns.h"

/*
 * Starts wireguard-go, in a session of its own and in the netns that towpath runs in, and comes
 * back when it answers and its device carries our mark and is in the one that the caller has
 * entered; a caller that dies meanwhile changes nothing about that. -ENOENT when it is not
 * installed, -EADDRINUSE when one of that name already runs somewhere.
 */
int wg_process_start(const char *ifname, const char *instance, const struct netns *netns,
		     struct err *err);

/*
 * Something to wait on: a descriptor that ends with the process, or -1 when none is running. Take
 * it before the device is removed, and hand it to wg_process_wait_gone, which closes it.
 */
int wg_process_watch(const char *ifname);
/* Waits until the process is gone, and removes its socket file if it left that behind. */
int wg_process_wait_gone(const char *ifname, int watch, struct err *err);

#endif
