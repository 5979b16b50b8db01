/* SPDX-License-Identifier: GPL-2.0-only */
/* Directories of cgroup v2. */
#ifndef TP_KERNEL_CGROUP_H
#define TP_KERNEL_CGROUP_H

#include <stdbool.h>

#include "base/err.h"
#include "model/facts.h"
#include "model/services.h"

/*
 * wanted: "auto", the root of the cgroup2 mount; or a path below that root, which may be written
 * with the mount in front. -ENOENT: there is no such cgroup, or no cgroup2 mount at all.
 * -EINVAL: "auto", and what is mounted is a part of the hierarchy only, as a container sees it.
 */
int cgroup_find(const char *wanted, struct facts_cgroup *out, struct err *err);

/* A cgroup that is made below one to try something there. */
#define CGROUP_TRIAL "towpath-probe-"

/* Those right below path, by name, but for trials. 0 or a negative errno; out is the caller's. */
int cgroup_read_below(const char *path, struct socket_belows *out);

/* Whether the calling process is in the cgroup itself. */
bool cgroup_holds_us(const char *path);

/*
 * A process in the cgroup itself whose network namespace is one of those: any but the caller and
 * the kernel's own. None: zero. 0 or a negative errno.
 */
int cgroup_find_stray(const char *path, const struct exempt_rows *exempt, struct socket_stray *out);

#endif
