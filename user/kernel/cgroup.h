/* SPDX-License-Identifier: GPL-2.0-only */
/* Directories of cgroup v2. */
#ifndef TP_KERNEL_CGROUP_H
#define TP_KERNEL_CGROUP_H

#include "base/err.h"
#include "model/facts.h"

/*
 * wanted: "auto", the root of the cgroup2 mount; or a path below that root, which may be written
 * with the mount in front. -ENOENT: there is no such cgroup, or no cgroup2 mount at all.
 * -EINVAL: "auto", and what is mounted is a part of the hierarchy only, as a container sees it.
 */
int cgroup_find(const char *wanted, struct facts_cgroup *out, struct err *err);

#endif
