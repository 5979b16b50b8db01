/* SPDX-License-Identifier: GPL-2.0-only */
/* A socket on which the kernel tells what changes in a network namespace. */
#ifndef TP_KERNEL_RT_MONITOR_H
#define TP_KERNEL_RT_MONITOR_H

#include <stdbool.h>

#include "base/err.h"
#include "kernel/rt_change.h"

/* *fd, the caller's, can be read when there is news. Of the netns that the caller is in. */
int rt_monitor_open(int *fd, struct err *err);
/*
 * Whether routes of other tables than the main one and ours are told of, which they are not at
 * first: a routing daemon may change thousands of them a second.
 */
int rt_monitor_set_others(int fd, bool others, struct err *err);
/* What has changed since: bits of enum rt_change, 0 for nothing that matters. Does not wait. */
unsigned int rt_monitor_read(int fd);

#endif
