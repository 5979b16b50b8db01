// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_repin.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
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

static bool is_pinned(const struct bpf *bpf, const char *name)
{
	char path[BPF_FS_PATH_SIZE];

	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, name);
	return access(path, F_OK) == 0 || errno != ENOENT;
}

static bool is_noted(const struct state *have, const char *name)
{
	const struct state_map *map;

	array_for_each(map, &have->unpinned)
		if (!strcmp(map->name, name))
			return true;
	return false;
}

static int note(struct search *search, const char *name, uint32_t id, bool empty)
{
	struct state_map *map;

	if (is_pinned(search->bpf, name) || is_noted(search->have, name))
		return 0;
	map = array_add(&search->have->unpinned);
	if (!map)
		return -ENOMEM;
	snprintf(map->name, sizeof(map->name), "%s", name);
	map->id = id;
	map->empty = empty;
	return 0;
}

static void look_at_program(uint32_t program_id, void *data);

/* The programs that are called from others use maps that those do not. */
static void look_at_array(struct search *search, int fd, uint32_t count)
{
	uint32_t key, program_id;

	for (key = 0; key < count; key++)
		if (!bpf_map_lookup_elem(fd, &key, &program_id))
			look_at_program(program_id, search);
}

/* .rodata and the like have no pin: a dot, and not our prefix. */
static int look_at_map(struct search *search, uint32_t id)
{
	AUTO_CLOSE int fd = bpf_map_get_fd_by_id(id);
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	bool array;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) ||
	    strncmp(info.name, "tp_", 3) != 0 || strchr(info.name, '.'))
		return 0;
	array = info.type == BPF_MAP_TYPE_PROG_ARRAY;
	if (array)
		look_at_array(search, fd, info.max_entries);
	return search->r ? search->r : note(search, info.name, id, array);
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

/* What no program reads: only we do, or XDP, which may not be attached. */
static const char *const own[] = { "tp_peer_info", "tp_route_info", "tp_rule_info", "tp_sysctls",
				   "tp_guard" };

/* What is found by no program, as when an earlier version has loaded them: see bpf_keep_own. */
static int look_at_own(struct search *search)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(own); i++)
		r = note(search, own[i], 0, true);
	return r;
}

int bpf_keep_own(const struct bpf_object *object, int program, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(own); i++) {
		int map = bpf_object__find_map_fd_by_name(object, own[i]);

		if (map < 0 || bpf_prog_bind_map(program, map, NULL))
			return err_sys(err, map < 0 ? map : -errno, "let a program keep map %s",
				       own[i]);
	}
	return 0;
}

int bpf_read_unpinned(const struct bpf *bpf, struct state *have)
{
	struct search search = { .bpf = bpf, .have = have };

	/* filters have no pins: then all programs of the machine are gone through for ours */
	if (!bpf_pins_each_program(bpf, look_at_program, &search))
		bpf_each_program(bpf, look_at_program, &search);
	return search.r || !search.seen_count ? search.r : look_at_own(&search);
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

static bool has_empty(const struct state *have)
{
	const struct state_map *map;

	array_for_each(map, &have->unpinned)
		if (map->empty)
			return true;
	return false;
}

int bpf_repin(const struct bpf *bpf, struct state *have, struct err *err)
{
	bool reload = has_empty(have);
	const struct state_map *map;
	int r = 0;

	if (!have->unpinned.count)
		return 0;
	r = bpf_fs_make_dirs(bpf->bpffs, bpf->instance, err);
	/* what is empty comes last: killed before, all this is done again */
	array_for_each(map, &have->unpinned)
		if (!r && !map->empty)
			r = pin(bpf, map, err);
	if (!r && reload)
		r = bpf_forget_object(bpf, err);
	array_for_each(map, &have->unpinned)
		if (!r && map->empty && map->id)
			r = pin(bpf, map, err);
	if (!r)
		array_clear(&have->unpinned);
	return r;
}
