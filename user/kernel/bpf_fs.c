// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define HERE     "/sys/fs/bpf"
#define DIR_MODE 0700
#define OUR_DIR  "towpath"

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* The parent of a process; 0 when there is none that we can see. */
static int parent_of(int pid)
{
	char path[32], line[512];
	const char *behind_name;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		behind_name = strrchr(line, ')'); /* the name may hold anything */
		if (!behind_name || sscanf(behind_name + 1, " %*c %d", &parent) != 1)
			parent = 0;
	}
	fclose(file);
	return parent;
}

/*
 * `ip netns exec` gives its command a mount namespace with a fresh /sys that ends with it: what
 * is mounted or pinned there vanishes. The outermost ancestor whose namespace we may look at
 * (PID 1, but not everywhere) tells where things last. Its pid, or 0 when that is ours.
 */
static int outer_process(void)
{
	struct stat ours, outer = { 0 };
	char path[32];
	int pid, found = 0;

	for (pid = parent_of(getpid()); pid > 0; pid = parent_of(pid)) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		if (!stat(path, &outer))
			found = pid;
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", found);
	if (!found || stat(path, &outer) || stat("/proc/self/ns/mnt", &ours))
		return 0;
	return ours.st_ino == outer.st_ino && ours.st_dev == outer.st_dev ? 0 : found;
}

static int mount_here(void)
{
	return mount("bpf", HERE, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno
											: 0;
}

static int mount_at(int pid)
{
	char path[32];
	int status;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child) {
		int ns;

		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		ns = open(path, O_RDONLY | O_CLOEXEC);
		_exit(ns < 0 || setns(ns, CLONE_NEWNS) || mount_here() ? 1 : 0);
	}
	if (waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPERM;
}

static int take(char out[BPF_FS_PATH_SIZE], const char *path, struct err *err)
{
	if (strlen(path) > 100)
		return err_set(err, -ENAMETOOLONG, "bpffs path %s is longer than 100 bytes", path);
	snprintf(out, BPF_FS_PATH_SIZE, "%s", path);
	return 0;
}

/* No bpffs in our own namespace: is there one where things last? */
static int find_outside(bool make, char out[BPF_FS_PATH_SIZE], struct err *err)
{
	int pid = outer_process(), r = 0;
	char path[64] = HERE;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/root" HERE, pid);
	if (is_bpffs(path))
		return take(out, path, err);
	if (!make)
		return err_set(err, -ENOENT, "no bpffs is mounted at " HERE);

	r = pid ? mount_at(pid) : mount_here();
	return r ? err_sys(err, r, "mount a bpffs at " HERE) : take(out, path, err);
}

int bpf_fs_find(const char *wanted, bool make, char out[BPF_FS_PATH_SIZE], struct err *err)
{
	if (!wanted)
		return is_bpffs(HERE) ? take(out, HERE, err) : find_outside(make, out, err);
	if (!is_bpffs(wanted))
		return err_set(err, -EINVAL, "%s is not a bpffs; mount one: mount -t bpf bpf %s",
			       wanted, wanted);
	return take(out, wanted, err);
}

static int make_dir(const char *path, struct err *err)
{
	if (mkdir(path, DIR_MODE) && errno != EEXIST)
		return err_sys(err, -errno, "make %s", path);
	return 0;
}

int bpf_fs_make_dirs(const char *bpffs, const char *instance, struct err *err)
{
	static const char *const below[] = { "", "/maps", "/links" };
	char path[BPF_FS_PATH_SIZE];
	size_t i;
	int r;

	snprintf(path, sizeof(path), "%s/" OUR_DIR, bpffs);
	r = make_dir(path, err);
	for (i = 0; !r && i < ARRAY_SIZE(below); i++) {
		snprintf(path, sizeof(path), "%s/" OUR_DIR "/%s%s", bpffs, instance, below[i]);
		r = make_dir(path, err);
	}
	return r;
}

/* Unlinks everything in a flat directory, then the directory. */
static int remove_dir(const char *path, struct err *err)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int r = 0, more = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", path);

	while (!r && (more = file_next(dir, &entry)) > 0) {
		if (entry->d_type == DT_DIR)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) && errno != ENOENT)
			r = err_sys(err, -errno, "unpin %s/%s", path, entry->d_name);
	}
	closedir(dir);
	if (!r && more)
		r = err_sys(err, more, "read %s", path);
	if (!r && rmdir(path) && errno != ENOENT)
		r = err_sys(err, -errno, "remove %s", path);
	return r;
}

bool bpf_fs_has_instance(const char *bpffs, const char *instance)
{
	char path[BPF_FS_PATH_SIZE];

	snprintf(path, sizeof(path), "%s/" OUR_DIR "/%s", bpffs, instance);
	return access(path, F_OK) == 0;
}

int bpf_fs_remove(const char *bpffs, const char *instance, struct err *err)
{
	static const char *const below[] = { "/links", "/maps", "" };
	char path[BPF_FS_PATH_SIZE];
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(below); i++) {
		snprintf(path, sizeof(path), "%s/" OUR_DIR "/%s%s", bpffs, instance, below[i]);
		r = remove_dir(path, err);
	}
	if (r)
		return r;

	/* shared by all instances: goes with the last one */
	snprintf(path, sizeof(path), "%s/" OUR_DIR, bpffs);
	if (rmdir(path) && errno != ENOENT && errno != ENOTEMPTY)
		return err_sys(err, -errno, "remove %s", path);
	return 0;
}

void bpf_fs_map_dir(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance)
{
	snprintf(out, BPF_FS_PATH_SIZE, "%s/" OUR_DIR "/%s/maps", bpffs, instance);
}

void bpf_fs_map_path(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance,
		     const char *name)
{
	snprintf(out, BPF_FS_PATH_SIZE, "%s/" OUR_DIR "/%s/maps/%s", bpffs, instance, name);
}

void bpf_fs_link_dir(char out[BPF_FS_PATH_SIZE], const char *bpffs, const char *instance)
{
	snprintf(out, BPF_FS_PATH_SIZE, "%s/" OUR_DIR "/%s/links", bpffs, instance);
}

bool bpf_fs_any_instance(const char *bpffs, const char *but,
			 bool (*is)(const char *instance, void *data), void *data)
{
	char path[BPF_FS_PATH_SIZE];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" OUR_DIR, bpffs);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' && strcmp(entry->d_name, but) &&
			is(entry->d_name, data);
	closedir(dir);
	return found;
}
