// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/netns_walk.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define NAMED "/run/netns"

bool netns_id_is_equal(const struct netns_id *a, const struct netns_id *b)
{
	return a->inode && a->inode == b->inode && a->device == b->device;
}

int netns_walk_open(struct netns_walk *walk)
{
	walk->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return walk->home < 0 ? -errno : 0;
}

void netns_walk_close(struct netns_walk *walk)
{
	mem_close_fd(&walk->home);
	array_clear(&walk->seen);
}

static int go_inside(struct netns_walk *walk, int fd, const struct netns_id *id, const char *name)
{
	int r;

	if (setns(fd, CLONE_NEWNET))
		return errno == EINVAL ? 0 : -errno; /* it is no network namespace */
	r = walk->visit(walk->data, id, name);
	/* it was ours; to go on elsewhere would be to change somebody else's network */
	if (setns(walk->home, CLONE_NEWNET))
		abort();
	return r;
}

int netns_walk_path(struct netns_walk *walk, const char *path, const char *name)
{
	AUTO_CLOSE int fd = -1;
	struct netns_id id, *seen;
	struct stat found;

	if (stat(path, &found))
		return 0;
	id = (struct netns_id){ .device = found.st_dev, .inode = found.st_ino };
	array_for_each(seen, &walk->seen)
		if (netns_id_is_equal(seen, &id))
			return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would have us wait */
	if (fd < 0)
		return 0;
	seen = array_add(&walk->seen);
	if (!seen)
		return -ENOMEM;
	*seen = id;
	return go_inside(walk, fd, &id, name);
}

int netns_walk_named(struct netns_walk *walk)
{
	DIR *dir = opendir(NAMED);
	struct dirent *entry;
	int r = 0, more = 0;

	while (!r && dir && (more = file_next(dir, &entry)) > 0) {
		char path[sizeof(NAMED) + 1 + NAME_MAX + 1];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NAMED "/%s", entry->d_name);
		r = netns_walk_path(walk, path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return r ? r : more;
}

int netns_walk_processes(struct netns_walk *walk)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int r = 0, more = 0;

	while (!r && dir && (more = file_next(dir, &entry)) > 0) {
		char path[NAME_MAX + 16];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		r = netns_walk_path(walk, path, "");
	}
	if (dir)
		closedir(dir);
	return r ? r : more;
}
