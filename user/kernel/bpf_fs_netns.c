// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_fs.h"
#include "kernel/bpf_fs_put.h"

static void link_path(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance)
{
	snprintf(out, BPF_FS_PATH_SIZE, "%s/towpath/%s/netns", bpffs, instance);
}

int bpf_fs_note_netns(const char *bpffs, const char *instance, const char *netns, struct err *err)
{
	AUTO_FREE char *noted = NULL;
	char path[BPF_FS_PATH_SIZE];
	int r = bpf_fs_read_netns(bpffs, instance, &noted, err);

	if (r || (netns && noted && !strcmp(netns, noted)))
		return r;
	link_path(path, bpffs, instance);
	if (!netns)
		return unlink(path) && errno != ENOENT ? err_sys(err, -errno, "remove %s", path)
						       : 0;
	r = bpf_fs_make_dirs(bpffs, instance, err);
	return r ? r : bpf_fs_put_symlink(bpffs, instance, netns, path, err);
}

int bpf_fs_read_netns(const char *bpffs, const char *instance, char **netns, struct err *err)
{
	char path[BPF_FS_PATH_SIZE], target[PATH_MAX];
	ssize_t length;

	*netns = NULL;
	link_path(path, bpffs, instance);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "read %s", path);
	target[length] = '\0';
	*netns = mem_copy_string(target);
	return *netns ? 0 : err_sys(err, -ENOMEM, "read %s", path);
}
