// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_take_over.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_abi.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_switch.h"

#define OLD_PREFIX "old"

/*
 * These may change from one ABI to the next without ending flows (TP_ABI_KEPT): each is either
 * filled by every apply of another policy, or has nothing in it that a second packet needs.
 */
static const char *const renewed[] = {
	"tp_src",     "tp_dst",        "tp_ports",       "tp_rules",  "tp_hosts",
	"tp_routes",  "tp_rule_stats", "tp_rule_info",   "tp_limits", "tp_stages",
	"tp_scratch", "tp_hints",      "tp_answer_rate",
};

int bpf_is_older(const struct bpf *bpf, bool *out, struct err *err)
{
	struct tp_state state = {};
	int r = bpf_read_state(bpf, &state, err);

	if (r && r != -ENOENT)
		return r;
	*out = !r && bpf_abi_is_older(state.abi);
	return 0;
}

bool bpf_is_renewed(const char *map)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(renewed); i++)
		if (!strcmp(renewed[i], map))
			return true;
	return false;
}

bool bpf_is_put_aside(const char *pin)
{
	return !strncmp(pin, OLD_PREFIX, strlen(OLD_PREFIX));
}

/* By its id, as a take-over that did not get to its end has left others behind. */
static int put_aside(const char *path, const struct bpf *bpf, const char *map, struct err *err)
{
	char aside[BPF_FS_PATH_SIZE], name[64];
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	AUTO_CLOSE int fd = bpf_obj_get(path);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return err_sys(err, -errno, "open map %s", map);
	snprintf(name, sizeof(name), OLD_PREFIX "%u_%s", info.id, map);
	bpf_fs_map_path(aside, bpf->bpffs, bpf->instance, name);
	return rename(path, aside) ? err_sys(err, -errno, "rename %s", path) : 0;
}

static int renew(const struct bpf *bpf, const struct bpf_object *object, const char *name,
		 struct err *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	char path[BPF_FS_PATH_SIZE];
	int r;

	if (!map)
		return err_set(err, -ENOENT, "the programs have no map %s", name);
	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, name);
	r = put_aside(path, bpf, name, err);
	if (!r && bpf_obj_pin(bpf_map__fd(map), path))
		r = err_sys(err, -errno, "pin map %s", name);
	return r;
}

int bpf_take_over(const struct bpf *bpf, const struct bpf_object *object, struct err *err)
{
	size_t i;
	int r = bpf_note_abi(bpf, TP_ABI | TP_ABI_MOVING, err);

	for (i = 0; !r && i < ARRAY_SIZE(renewed); i++)
		r = renew(bpf, object, renewed[i], err);
	return r;
}

/* A program that a packet is in goes on until it returns, and may go on to its next stage. */
static void wait_for_programs(void)
{
	/* EINVAL on a kernel of CONFIG_NO_HZ_FULL, ENOSYS without CONFIG_MEMBARRIER */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(100000);
}

static int remove_aside(const struct bpf *bpf, struct err *err)
{
	char path[BPF_FS_PATH_SIZE];
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, "");
	dir = opendir(path);
	if (!dir)
		return err_sys(err, -errno, "open %s", path);
	while (!r && (entry = readdir(dir)))
		if (bpf_is_put_aside(entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) &&
		    errno != ENOENT)
			r = err_sys(err, -errno, "unpin %s", entry->d_name);
	closedir(dir);
	return r;
}

int bpf_finish_take_over(const struct bpf *bpf, struct err *err)
{
	bool older = false;
	int r = bpf_is_older(bpf, &older, err);

	if (r || !older)
		return r;
	wait_for_programs();
	r = remove_aside(bpf, err);
	return r ? r : bpf_note_abi(bpf, TP_ABI, err);
}
