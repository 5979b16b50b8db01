// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_owner.h"

#include <bpf/bpf.h>
#include <dirent.h>
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

static bool is_pinned_by(const struct bpf *bpf, const char *instance, uint32_t id)
{
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	bpf_fs_map_path(path, bpf->bpffs, instance, STATE_MAP);
	fd = bpf_obj_get(path);
	return fd >= 0 && map_id(fd, NULL) == id;
}

static bool is_pinned_by_another(const struct bpf *bpf, uint32_t id)
{
	char path[BPF_FS_PATH_SIZE];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/towpath", bpf->bpffs) >= (int)sizeof(path))
		return false;
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = strcmp(entry->d_name, bpf->instance) && entry->d_name[0] != '.' &&
			strlen(entry->d_name) < sizeof(bpf->instance) &&
			is_pinned_by(bpf, entry->d_name, id);
	closedir(dir);
	return found;
}

bool bpf_owns_program(const struct bpf *bpf, uint32_t program_id, const char *name)
{
	uint32_t id = program_state_id(program_id, name);

	if (!id)
		return false;
	return is_pinned_by(bpf, bpf->instance, id) || !is_pinned_by_another(bpf, id);
}
