// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_aside.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define PREFIX "old"

bool bpf_is_put_aside(const char *pin)
{
	return !strncmp(pin, PREFIX, strlen(PREFIX));
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) ? 0 : info.id;
}

/* By its id, as a take-over that did not get to its end has left others behind. */
int bpf_put_aside(const struct bpf *bpf, const char *map, struct err *err)
{
	char path[BPF_FS_PATH_SIZE], aside[BPF_FS_PATH_SIZE], name[64];
	AUTO_CLOSE int fd = -1;
	uint32_t id;

	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, map);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return 0;
	id = id_of(fd);
	if (!id)
		return err_sys(err, -errno, "open map %s", map);
	snprintf(name, sizeof(name), PREFIX "%u_%s", id, map);
	bpf_fs_map_path(aside, bpf->bpffs, bpf->instance, name);
	return rename(path, aside) ? err_sys(err, -errno, "rename %s", path) : 0;
}

/* Calls each with the name of every pin that was put aside, until it is not 0, and gives that. */
static int each_pin(const struct bpf *bpf, int (*each)(int dir, const char *pin, void *data),
		    void *data)
{
	char path[BPF_FS_PATH_SIZE];
	struct dirent *entry;
	DIR *dir;
	int r = 0, more = 0;

	bpf_fs_map_dir(path, bpf->bpffs, bpf->instance);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (more = file_next(dir, &entry)) > 0)
		if (bpf_is_put_aside(entry->d_name))
			r = each(dirfd(dir), entry->d_name, data);
	closedir(dir);
	return r ? r : more;
}

static int find_one(int dir, const char *pin, void *data)
{
	(void)dir, (void)pin, (void)data;
	return 1;
}

bool bpf_has_aside(const struct bpf *bpf)
{
	return each_pin(bpf, find_one, NULL) > 0;
}

struct walk {
	const struct bpf *bpf;
	const char *map;
	uint32_t live; /* which map has the name now; 0: none */
	int (*each)(int fd, void *data);
	void *data;
};

/*
 * Killed before the new map had the name, the old one may have been given it back (bpf_repin), and
 * has both.
 */
static int walk_one(int dir, const char *pin, void *data)
{
	const struct walk *walk = data;
	const char *name = strchr(pin, '_');
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	(void)dir;
	if (!name || strcmp(name + 1, walk->map) != 0)
		return 0;
	bpf_fs_map_path(path, walk->bpf->bpffs, walk->bpf->instance, pin);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return id_of(fd) == walk->live ? 0 : walk->each(fd, walk->data);
}

int bpf_each_aside(const struct bpf *bpf, const char *map, int (*each)(int fd, void *data),
		   void *data)
{
	struct walk walk = { .bpf = bpf, .map = map, .each = each, .data = data };
	AUTO_CLOSE int fd = bpf_map_open(bpf, map);

	walk.live = id_of(fd);
	return each_pin(bpf, walk_one, &walk);
}

static int remove_one(int dir, const char *pin, void *data)
{
	struct err *err = data;

	if (!unlinkat(dir, pin, 0) || errno == ENOENT)
		return 0;
	return err_sys(err, -errno, "unpin %s", pin);
}

int bpf_remove_aside(const struct bpf *bpf, struct err *err)
{
	return each_pin(bpf, remove_one, err);
}
