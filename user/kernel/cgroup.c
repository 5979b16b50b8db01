// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/cgroup.h"

#include <errno.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP2_MAGIC 0x63677270 /* CGROUP2_SUPER_MAGIC */

/* 1 or 0, or a negative errno; what is not there is none. */
static int is_cgroup2(const char *path)
{
	struct statfs found;

	if (statfs(path, &found))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return found.f_type == CGROUP2_MAGIC;
}

/*
 * 1 or 0, or a negative errno. The kernel gives every cgroup a type but the root, which cannot be
 * another (cgroup-v2.rst).
 */
static int is_root(const char *path)
{
	char type[TP_CGROUP_SIZE + sizeof("/cgroup.type")];

	snprintf(type, sizeof(type), "%s/cgroup.type", path);
	if (!access(type, F_OK))
		return 0;
	return errno == ENOENT ? 1 : -errno;
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

/* Where that cgroup is, in words of the filesystem. */
static int find_path(const char *wanted, char out[TP_CGROUP_SIZE], struct err *err)
{
	char mount[TP_CGROUP_SIZE];
	int r = find_mount(mount, err), length;
	bool is_path;

	if (r)
		return r;
	if (!strcmp(wanted, "auto")) {
		snprintf(out, TP_CGROUP_SIZE, "%s", mount);
		return 0;
	}
	is_path = is_below(wanted, mount);
	if (!is_path) {
		r = is_cgroup2(wanted);
		if (r < 0)
			return err_sys(err, r, "look at %s (socket_lb.cgroup)", wanted);
		is_path = r;
	}
	length = snprintf(out, TP_CGROUP_SIZE, "%s%s", is_path ? "" : mount, wanted);
	if (length >= TP_CGROUP_SIZE)
		return err_sys(err, -ENAMETOOLONG, "find cgroup %s", wanted);
	return 0;
}

/* With its id: kernfs gives a cgroup that as its inode's number. */
static int look_at(struct facts_cgroup *found, struct err *err)
{
	struct stat directory;
	int r = is_cgroup2(found->path);

	if (r > 0 && stat(found->path, &directory))
		r = errno == ENOENT ? 0 : -errno;
	if (r < 0)
		return err_sys(err, r, "look at cgroup %s (socket_lb.cgroup)", found->path);
	if (!r)
		return err_set(err, -ENOENT, "there is no cgroup %s (socket_lb.cgroup)",
			       found->path);
	found->id = directory.st_ino;
	return 0;
}

int cgroup_find(const char *wanted, struct facts_cgroup *out, struct err *err)
{
	struct facts_cgroup found = { 0 };
	int r = find_path(wanted, found.path, err);

	if (!r)
		r = look_at(&found, err);
	if (r)
		return r;
	r = strcmp(wanted, "auto") != 0 ? 1 : is_root(found.path);
	if (r < 0)
		return err_sys(err, r, "look whether %s is the root of all cgroups", found.path);
	if (!r)
		return err_set(err, -EINVAL,
			       "%s is not the root of all cgroups, as in a container: mount the "
			       "host's /sys/fs/cgroup there, or name a cgroup in socket_lb.cgroup",
			       found.path);
	*out = found;
	return 0;
}
