/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A name in our bpffs that is given to something else: by rename(2), so that it always stands for
 * the one or the other, whoever is killed meanwhile. What lives by its pin would be gone between
 * an unlink and a pin. Until then the new one is <bpffs>/towpath/<instance>/new.
 */
#ifndef TP_KERNEL_BPF_FS_PUT_H
#define TP_KERNEL_BPF_FS_PUT_H

#include "base/err.h"

/* Pins what fd is, in place of what is pinned as path, which lives on if others hold it. */
int bpf_fs_put_pin(const char *bpffs, const char *instance, int fd, const char *path,
		   struct err *err);

/* Likewise a symbolic link to target. */
int bpf_fs_put_symlink(const char *bpffs, const char *instance, const char *target,
		       const char *path, struct err *err);

/* What was killed in between left: with its pin a link is detached. Nothing there is success. */
int bpf_fs_clear_new(const char *bpffs, const char *instance, struct err *err);

#endif
