// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_hold.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "kernel/bpf_pin.h"
#include "kernel/bpf_socket_link.h"
#include "kernel/bpf_aside.h"

/* A pin that has gone since the directory was read is none. */
static int hold_one(struct bpf_hold *hold, const char *dir, const char *name, bool is_link)
{
	struct bpf_held held = { .is_link = is_link };
	struct bpf_held *added;
	AUTO_CLOSE int fd = -1;

	if (snprintf(held.path, sizeof(held.path), "%s/%s", dir, name) >= (int)sizeof(held.path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(held.path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	added = array_add(&hold->pins);
	if (!added)
		return -ENOMEM;
	held.fd = mem_take_fd(&fd);
	*added = held;
	return 0;
}

static int hold_directory(struct bpf_hold *hold, const char *path, bool is_link)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int r = 0, more = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (more = file_next(dir, &entry)) > 0)
		if (entry->d_name[0] != '.' && !bpf_is_put_aside(entry->d_name))
			r = hold_one(hold, path, entry->d_name, is_link);
	closedir(dir);
	return r ? r : more;
}

/* A link that was detached, or whose device is gone, serves nobody any more. */
static bool is_dead(const struct bpf_held *held)
{
	return held->is_link && !bpf_pin_is_alive(held->fd) && !bpf_socket_link_is_alive(held->fd);
}

static bool holds_path(const struct bpf_hold *hold, const char *path)
{
	const struct bpf_held *held;

	array_for_each(held, &hold->pins)
		if (!strcmp(held->path, path))
			return true;
	return false;
}

/* What lost its pin since it was looked at last goes over from one to the other. */
static int keep_lost(struct bpf_hold *from, struct bpf_hold *to)
{
	struct bpf_held *held, *added;

	array_for_each(held, &from->pins) {
		if (holds_path(to, held->path) || is_dead(held))
			continue;
		added = array_add(&to->pins);
		if (!added)
			return -ENOMEM;
		*added = *held;
		added->fd = fcntl(held->fd, F_DUPFD_CLOEXEC, 0);
		if (added->fd < 0)
			return -errno;
	}
	return 0;
}

int bpf_hold_take(struct bpf_hold *hold, const struct bpf *bpf, struct err *err)
{
	struct bpf_hold now = { .netns = NULL };
	char path[BPF_FS_PATH_SIZE];
	int r;

	bpf_fs_map_dir(path, bpf->bpffs, bpf->instance);
	r = hold_directory(&now, path, false);
	bpf_fs_link_dir(path, bpf->bpffs, bpf->instance);
	if (!r)
		r = hold_directory(&now, path, true);
	if (!r)
		r = keep_lost(hold, &now);
	if (r)
		err_sys(err, r, "hold what is pinned below %s", path);
	else
		r = bpf_fs_read_netns(bpf->bpffs, bpf->instance, &now.netns, err);
	if (r) {
		bpf_hold_drop(&now);
		return r;
	}
	bpf_hold_drop(hold);
	*hold = now;
	return 0;
}

/* 1 when it was pinned anew, 0 when there was no need. */
static int mend_one(const struct bpf_held *held, struct err *err)
{
	if (access(held->path, F_OK) == 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(err, -errno, "look for pin %s", held->path);
	if (is_dead(held))
		return 0;
	if (bpf_obj_pin(held->fd, held->path))
		return err_sys(err, -errno, "pin %s anew", held->path);
	return 1;
}

int bpf_hold_mend(const struct bpf_hold *hold, const struct bpf *bpf, struct bpf_mended *out,
		  struct err *err)
{
	const struct bpf_held *held;
	int r = hold->pins.count ? bpf_fs_make_dirs(bpf->bpffs, bpf->instance, err) : 0;

	*out = (struct bpf_mended){ 0 };
	array_for_each(held, &hold->pins) {
		if (r < 0)
			break;
		r = mend_one(held, err);
		if (r > 0)
			(*(held->is_link ? &out->links : &out->maps))++;
	}
	if (r < 0)
		return r;
	if (!out->maps && !out->links)
		return 0;
	return bpf_fs_note_netns(bpf->bpffs, bpf->instance, hold->netns, err);
}

void bpf_hold_drop(struct bpf_hold *hold)
{
	const struct bpf_held *held;

	array_for_each(held, &hold->pins)
		close(held->fd);
	array_clear(&hold->pins);
	free(TAKE(hold->netns));
}
