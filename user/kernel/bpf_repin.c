// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_repin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_owner.h"
#include "kernel/bpf_pin.h"
#include "kernel/bpf_switch.h"

#define MAPS_MAX 64 /* our programs use half as many */

struct search {
	const struct bpf *bpf;
	struct state *have;
	__u32 seen[MAPS_MAX]; /* programs share most of their maps */
	size_t seen_count;
	int r;
};

static bool is_new(struct search *search, uint32_t id)
{
	size_t i;

	for (i = 0; i < search->seen_count; i++)
		if (search->seen[i] == id)
			return false;
	if (search->seen_count < MAPS_MAX)
		search->seen[search->seen_count++] = id;
	return true;
}

/* .rodata and the like have no pin: a dot, and not our prefix. */
static bool is_to_be_pinned(const struct bpf *bpf, const struct bpf_map_info *info)
{
	char path[BPF_FS_PATH_SIZE];

	if (strncmp(info->name, "tp_", 3) != 0 || strchr(info->name, '.'))
		return false;
	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, info->name);
	return access(path, F_OK) && errno == ENOENT;
}

static int look_at_map(struct search *search, uint32_t id)
{
	AUTO_CLOSE int fd = bpf_map_get_fd_by_id(id);
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	struct state_map *map;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) ||
	    !is_to_be_pinned(search->bpf, &info))
		return 0;
	map = array_add(&search->have->unpinned);
	if (!map)
		return -ENOMEM;
	snprintf(map->name, sizeof(map->name), "%s", info.name);
	map->id = id;
	map->programs = info.type == BPF_MAP_TYPE_PROG_ARRAY;
	return 0;
}

static void look_at_program(uint32_t program_id, void *data)
{
	AUTO_CLOSE int fd = bpf_prog_get_fd_by_id(program_id);
	__u32 ids[MAPS_MAX] = { 0 };
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX, .map_ids = (__u64)(uintptr_t)ids };
	__u32 length = sizeof(info), i;
	struct search *search = data;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return;
	for (i = 0; !search->r && i < info.nr_map_ids && i < MAPS_MAX; i++)
		if (is_new(search, ids[i]))
			search->r = look_at_map(search, ids[i]);
}

int bpf_read_unpinned(const struct bpf *bpf, struct state *have)
{
	struct search search = { .bpf = bpf, .have = have };

	/* filters have no pins: then all programs of the machine are gone through for ours */
	if (!bpf_pins_each_program(bpf, look_at_program, &search))
		bpf_each_program(bpf, look_at_program, &search);
	return search.r;
}

static int pin(const struct bpf *bpf, const struct state_map *map, struct err *err)
{
	AUTO_CLOSE int fd = bpf_map_get_fd_by_id(map->id);
	char path[BPF_FS_PATH_SIZE];

	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, map->name);
	if (fd < 0 || bpf_obj_pin(fd, path))
		return err_sys(err, -errno, "pin %s anew", path);
	return 0;
}

static bool has_programs(const struct state *have)
{
	const struct state_map *map;

	array_for_each(map, &have->unpinned)
		if (map->programs)
			return true;
	return false;
}

int bpf_repin(const struct bpf *bpf, struct state *have, struct err *err)
{
	bool reload = has_programs(have);
	const struct state_map *map;
	int r = 0;

	if (!have->unpinned.count)
		return 0;
	r = bpf_fs_make_dirs(bpf->bpffs, bpf->instance, err);
	/* the array of programs last: killed before, all this is done again */
	array_for_each(map, &have->unpinned)
		if (!r && !map->programs)
			r = pin(bpf, map, err);
	if (!r && reload)
		r = bpf_forget_object(bpf, err);
	array_for_each(map, &have->unpinned)
		if (!r && map->programs)
			r = pin(bpf, map, err);
	if (!r)
		array_clear(&have->unpinned);
	return r;
}
