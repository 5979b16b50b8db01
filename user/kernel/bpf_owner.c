// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_owner.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/mem.h"

#define MAPS_MAX  64 /* our programs use fewer than half as many */
#define STATE_MAP "tp_state"

static uint32_t map_id(int fd, const char *wanted_name)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return 0;
	return !wanted_name || !strcmp(info.name, wanted_name) ? info.id : 0;
}

/* The id of the tp_state that a program uses; 0: it is no program of towpath's. */
static uint32_t program_state_id(uint32_t program_id, const char *name)
{
	AUTO_CLOSE int program = bpf_prog_get_fd_by_id(program_id);
	__u32 ids[MAPS_MAX] = { 0 };
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX, .map_ids = (__u64)(uintptr_t)ids };
	__u32 length = sizeof(info), i;
	uint32_t found = 0;

	if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &length) ||
	    strcmp(info.name, name))
		return 0;
	for (i = 0; !found && i < info.nr_map_ids && i < MAPS_MAX; i++) {
		AUTO_CLOSE int map = bpf_map_get_fd_by_id(ids[i]);

		found = map_id(map, STATE_MAP);
	}
	return found;
}

struct wanted_map {
	const struct bpf *bpf;
	uint32_t id;
};

static bool is_pinned_by(const char *instance, void *data)
{
	const struct wanted_map *wanted = data;
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	if (strlen(instance) >= sizeof(wanted->bpf->instance))
		return false;
	bpf_fs_map_path(path, wanted->bpf->bpffs, instance, STATE_MAP);
	fd = bpf_obj_get(path);
	return fd >= 0 && map_id(fd, NULL) == wanted->id;
}

bool bpf_owns_program(const struct bpf *bpf, uint32_t program_id, const char *name)
{
	struct wanted_map state = { .bpf = bpf, .id = program_state_id(program_id, name) };

	if (!state.id)
		return false;
	return is_pinned_by(bpf->instance, &state) ||
	       !bpf_fs_any_instance(bpf->bpffs, bpf->instance, is_pinned_by, &state);
}

bool bpf_is_towpath(uint32_t program_id, enum state_hook hook)
{
	return program_state_id(program_id, state_program_name(hook)) != 0;
}

void bpf_each_program(const struct bpf *bpf, void (*visit)(uint32_t program_id, void *data),
		      void *data)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, STATE_MAP);
	uint32_t wanted = map_id(fd, NULL), program = 0;
	enum state_hook hook;

	while (wanted && !bpf_prog_get_next_id(program, &program))
		for (hook = 0; hook < STATE_HOOKS; hook++)
			if (program_state_id(program, state_program_name(hook)) == wanted)
				visit(program, data);
}

static void note_any(uint32_t program_id, void *data)
{
	*(bool *)data = program_id != 0;
}

bool bpf_has_programs(const struct bpf *bpf)
{
	bool any = false;

	bpf_each_program(bpf, note_any, &any);
	return any;
}

static bool is_same_code(int fd, int other)
{
	struct bpf_prog_info info = {}, other_info = {};
	__u32 length = sizeof(info), other_length = sizeof(other_info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) &&
	       !bpf_obj_get_info_by_fd(other, &other_info, &other_length) &&
	       !memcmp(info.tag, other_info.tag, sizeof(info.tag));
}

int bpf_find_program(const struct bpf *bpf, const char *name)
{
	AUTO_CLOSE int map = bpf_map_open(bpf, STATE_MAP);
	AUTO_CLOSE int found = -1;
	uint32_t wanted = map_id(map, NULL), program = 0;

	while (wanted && !bpf_prog_get_next_id(program, &program)) {
		AUTO_CLOSE int fd = -1;

		if (program_state_id(program, name) != wanted)
			continue;
		fd = bpf_prog_get_fd_by_id(program);
		if (fd < 0) /* it has gone just now */
			continue;
		if (found >= 0 && !is_same_code(fd, found))
			return -EEXIST;
		if (found < 0)
			found = mem_take_fd(&fd);
	}
	return found < 0 ? -ENOENT : mem_take_fd(&found);
}
