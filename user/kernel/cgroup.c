// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/cgroup.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP2_MAGIC 0x63677270 /* CGROUP2_SUPER_MAGIC */

static bool is_cgroup2(const char *path)
{
	struct statfs found;

	return !statfs(path, &found) && found.f_type == CGROUP2_MAGIC;
}

/* The kernel gives every cgroup a type but the root, which cannot be another (cgroup-v2.rst). */
static bool is_root(const char *path)
{
	char type[TP_CGROUP_SIZE + sizeof("/cgroup.type")];

	snprintf(type, sizeof(type), "%s/cgroup.type", path);
	return access(type, F_OK) != 0;
}

/* The first that is mounted; a bind mount of a part of it comes later, or by another's hand. */
static int find_mount(char out[TP_CGROUP_SIZE], struct err *err)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *mount;
	int r = -ENOENT;

	if (!mounts)
		return err_sys(err, -errno, "open /proc/self/mounts");
	while (r == -ENOENT && (mount = getmntent(mounts)))
		if (!strcmp(mount->mnt_type, "cgroup2"))
			r = snprintf(out, TP_CGROUP_SIZE, "%s", mount->mnt_dir) < TP_CGROUP_SIZE
				    ? 0
				    : -ENAMETOOLONG;
	endmntent(mounts);
	if (r == -ENOENT)
		return err_set(err, r,
			       "there is no cgroup2 mount, where the socket load balancer belongs: "
			       "mount -t cgroup2 none /sys/fs/cgroup, or \"mode\": \"off\" in "
			       "\"socket_lb\"");
	return r ? err_sys(err, r, "find the cgroup2 mount") : 0;
}

/* Also of one that is gone. */
static bool is_below(const char *path, const char *mount)
{
	size_t length = strlen(mount);

	return !strncmp(path, mount, length) && path[length] == '/';
}

int cgroup_find(const char *wanted, struct facts_cgroup *out, struct err *err)
{
	struct facts_cgroup found = { 0 };
	char mount[TP_CGROUP_SIZE];
	struct stat directory;
	int length, r = find_mount(mount, err);

	if (r)
		return r;
	if (!strcmp(wanted, "auto"))
		length = snprintf(found.path, sizeof(found.path), "%s", mount);
	else if (is_cgroup2(wanted) || is_below(wanted, mount))
		length = snprintf(found.path, sizeof(found.path), "%s", wanted);
	else
		length = snprintf(found.path, sizeof(found.path), "%s%s", mount, wanted);
	if (length >= (int)sizeof(found.path))
		return err_sys(err, -ENAMETOOLONG, "find cgroup %s", wanted);
	if (!is_cgroup2(found.path) || stat(found.path, &directory))
		return err_set(err, -ENOENT, "there is no cgroup %s (socket_lb.cgroup)",
			       found.path);
	if (!strcmp(wanted, "auto") && !is_root(found.path))
		return err_set(err, -EINVAL,
			       "%s is not the root of all cgroups, as in a container: mount the "
			       "host's /sys/fs/cgroup there, or name a cgroup in socket_lb.cgroup",
			       found.path);
	found.id = directory.st_ino; /* kernfs gives a cgroup its id as its inode's number */
	*out = found;
	return 0;
}
