/* SPDX-License-Identifier: GPL-2.0-only */
/* Where our maps and links are pinned: <bpffs>/towpath/<instance>/{maps,links}. */
#ifndef TP_KERNEL_BPF_FS_H
#define TP_KERNEL_BPF_FS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define BPF_FS_PATH_SIZE 256

/*
 * Finds a bpffs: `wanted` if not NULL, else /sys/fs/bpf, else the one behind the fresh /sys that
 * `ip netns exec` puts over it. With make, mounts one at /sys/fs/bpf when there is none.
 * -ENOENT: there is none, and nothing of ours can be pinned anywhere.
 */
int bpf_fs_find(const char *wanted, bool make, char out[BPF_FS_PATH_SIZE], struct err *err);

/* Makes <bpffs>/towpath/<instance>/{maps,links}, each 0700. */
int bpf_fs_make_dirs(const char *bpffs, const char *instance, struct err *err);

/* Whether there is a directory of pins, be it an empty one. */
bool bpf_fs_has_instance(const char *bpffs, const char *instance);

/* Removes every pin of the instance and its directories. Nothing there is success. */
int bpf_fs_remove(const char *bpffs, const char *instance, struct err *err);

/*
 * The network namespace that the instance's device lives in, where that is not the one that
 * towpath runs in: a symbolic link beside the pins, so it is gone when they are. NULL: none, which
 * is also how it is forgotten.
 */
int bpf_fs_note_netns(const char *bpffs, const char *instance, const char *netns, struct err *err);
int bpf_fs_read_netns(const char *bpffs, const char *instance, char **netns, struct err *err);

/* Whether is(instance, data) holds for any instance there but one. */
bool bpf_fs_any_instance(const char *bpffs, const char *but,
			 bool (*is)(const char *instance, void *data), void *data);

/* out: "<bpffs>/towpath/<instance>/maps", with "/<name>", likewise for links. */
void bpf_fs_map_dir(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance);
void bpf_fs_map_path(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance,
		     const char *name);
void bpf_fs_link_dir(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance);

#endif
