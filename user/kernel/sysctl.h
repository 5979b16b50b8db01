/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integer sysctls by their path below /proc/sys, with slashes ("net/ipv4/conf/eth0.5/forwarding":
 * a device's name may have dots). What is below net/ is that of the caller's netns.
 */
#ifndef TP_KERNEL_SYSCTL_H
#define TP_KERNEL_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Relative, no empty component, none that is "." or "..". */
bool sysctl_path_is_valid(const char *path);
/* The text of a sysctl file: one integer and nothing else; -EBADMSG otherwise. */
int sysctl_read_value(const char *text, size_t length, int32_t *out);

/* -EINVAL for a path that is not valid, -ENOENT when the kernel has none such. */
int sysctl_read(const char *path, int32_t *out, struct err *err);
int sysctl_write(const char *path, int32_t value, struct err *err);

#endif
