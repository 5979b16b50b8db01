/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Network namespaces without a name, and the commands that fill them. They, and all that is
 * mounted, end with the process, however it ends.
 */
#ifndef SELFTESTS_BENCH_NET_H
#define SELFTESTS_BENCH_NET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define NET_RUN "/run/bench" /* files of the bench; its own /run */

/* Mounts of our own: /run, where programs keep sockets and locks, and a bpffs. */
int net_start(struct err *err);

/* A new namespace's fd; the caller stays in its own. */
int net_new(int *netns, struct err *err);
/* This thread's namespace from now on. */
void net_enter(int netns);

/* Runs a program in the present namespace, input (NULL: none) on its standard input. */
int net_run(const char *const *argv, const char *input, struct err *err);
/* `ip -batch` */
int net_ip(const char *script, struct err *err);
/* Switches offloads with ethtool: net_offload("lan0", "gro", true, err) */
int net_offload(const char *device, const char *what, bool on, struct err *err);

/* Gives the device's receive queue a thread of its own on that CPU; its id. */
int net_make_thread(const char *device, int cpu, pid_t *thread, struct err *err);
/* A new tun device's fd. */
int net_make_tun(const char *name, int *fd, struct err *err);

#endif
