// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_hold.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_pin.h"
#include "kernel/bpf_socket_link.h"

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
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = hold_one(hold, path, entry->d_name, is_link);
	closedir(dir);
	return r;
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
	if (held->is_link && !bpf_pin_is_alive(held->fd) && !bpf_socket_link_is_alive(held->fd))
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
