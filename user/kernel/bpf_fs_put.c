// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_fs_put.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_fs.h"

static const char *new_path(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance)
{
	snprintf(out, BPF_FS_PATH_SIZE, "%s/towpath/%s/new", bpffs, instance);
	return out;
}

static int take_place(const char *new, const char *path, struct err *err)
{
	int r;

	if (!rename(new, path))
		return 0;
	r = -errno;
	(void)unlink(new); /* or the next look clears it */
	return err_sys(err, r, "rename %s to %s", new, path);
}

int bpf_fs_put_pin(const char *bpffs, const char *instance, int fd, const char *path,
		   struct err *err)
{
	char new[BPF_FS_PATH_SIZE];

	if (!bpf_obj_pin(fd, path))
		return 0;
	if (errno != EEXIST)
		return err_sys(err, -errno, "pin %s", path);
	if (bpf_obj_pin(fd, new_path(new, bpffs, instance)))
		return err_sys(err, -errno, "pin %s", new);
	return take_place(new, path, err);
}

int bpf_fs_put_symlink(const char *bpffs, const char *instance, const char *target,
		       const char *path, struct err *err)
{
	char new[BPF_FS_PATH_SIZE];

	if (symlink(target, new_path(new, bpffs, instance)))
		return err_sys(err, -errno, "make %s", new);
	return take_place(new, path, err);
}

int bpf_fs_clear_new(const char *bpffs, const char *instance, struct err *err)
{
	char new[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = bpf_obj_get(new_path(new, bpffs, instance));

	/* somebody else may hold it. EINVAL: it is no link; ENOLINK: it hangs on nothing */
	if (fd >= 0 && bpf_link_detach(fd) && errno != EINVAL && errno != ENOLINK)
		return err_sys(err, -errno, "detach %s", new);
	return unlink(new) && errno != ENOENT ? err_sys(err, -errno, "remove %s", new) : 0;
}
