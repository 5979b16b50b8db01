// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_pin.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_fs_put.h"

#define LINK_TYPE_TCX 11 /* BPF_LINK_TYPE_TCX, which linux/bpf.h before 6.6 lacks */

/* struct bpf_link_info as of 6.6: of tcx, and of XDP up to ifindex. */
struct link_info {
	__u32 type;
	__u32 id;
	__u32 prog_id;
	__u32 pad;
	__u32 ifindex; /* 0: the device is gone */
	__u32 attach_type;
	__u8 rest[64];
};

static const char *const hook_names[STATE_HOOKS] = {
	[HOOK_TC_TUNNEL] = "tunnel",
	[HOOK_TC_LAN] = "lan",
	[HOOK_TC_EGRESS] = "egress",
	[HOOK_XDP_LAN] = "xdp",
};

/* "links/eth0-lan". A bpffs name holds no dot, a device name holds no colon. */
static void pin_path(char out[BPF_FS_PATH_SIZE], const struct bpf *bpf, const char *device,
		     enum state_hook hook)
{
	char dir[BPF_FS_PATH_SIZE], name[IF_NAMESIZE];
	char *dot;

	snprintf(name, sizeof(name), "%s", device);
	while ((dot = strchr(name, '.')))
		*dot = ':';
	bpf_fs_link_dir(dir, bpf->bpffs, bpf->instance);
	if (snprintf(out, BPF_FS_PATH_SIZE, "%s/%s-%s", dir, name, hook_names[hook]) >=
	    BPF_FS_PATH_SIZE)
		out[0] = '\0';
}

/* A link of a type that hangs on a device, or -EINVAL. */
static int link_read(int fd, struct link_info *info)
{
	__u32 length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (bpf_obj_get_info_by_fd(fd, info, &length))
		return -errno;
	return info->type == LINK_TYPE_TCX || info->type == BPF_LINK_TYPE_XDP ? 0 : -EINVAL;
}

int bpf_pin_open(const struct bpf *bpf, const char *device, enum state_hook hook, uint32_t ifindex)
{
	char path[BPF_FS_PATH_SIZE];
	struct link_info info;
	AUTO_CLOSE int fd = -1;

	pin_path(path, bpf, device, hook);
	fd = bpf_obj_get(path);
	if (fd < 0 || link_read(fd, &info) || info.ifindex != ifindex)
		return -1;
	return mem_take_fd(&fd);
}

bool bpf_pin_is_alive(int fd)
{
	struct link_info info;

	return !link_read(fd, &info) && info.ifindex;
}

uint32_t bpf_pin_link_id(int fd)
{
	struct link_info info;

	return link_read(fd, &info) ? 0 : info.id;
}

uint32_t bpf_pin_program_id(int fd)
{
	struct link_info info;

	return link_read(fd, &info) ? 0 : info.prog_id;
}

int bpf_pin_update(const struct bpf *bpf, int fd, const struct state_attachment *a, struct err *err)
{
	if (bpf_link_update(fd, bpf_program_fd(bpf, a->hook), NULL))
		return err_sys(err, -errno, "update %s on %s", state_program_name(a->hook),
			       a->device);
	return 0;
}

int bpf_pin_add(const struct bpf *bpf, int fd, const struct state_attachment *a, struct err *err)
{
	char path[BPF_FS_PATH_SIZE];

	pin_path(path, bpf, a->device, a->hook);
	return bpf_fs_put_pin(bpf->bpffs, bpf->instance, fd, path, err);
}

int bpf_pin_remove(const struct bpf *bpf, const struct state_attachment *a, struct err *err)
{
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	pin_path(path, bpf, a->device, a->hook);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", path);
	/* ENOLINK: the device is gone, and the attachment with it */
	if (bpf_link_detach(fd) && errno != ENOLINK)
		return err_sys(err, -errno, "detach %s from %s", state_program_name(a->hook),
			       a->device);
	if (unlink(path))
		return err_sys(err, -errno, "unpin %s", path);
	return 0;
}

/* Calls visit for every pin until it says that this is enough. */
static void each_pin(const struct bpf *bpf, bool (*visit)(int fd, void *data), void *data)
{
	char dir[BPF_FS_PATH_SIZE], path[BPF_FS_PATH_SIZE + NAME_MAX + 2];
	struct dirent *entry;
	bool enough = false;
	DIR *pins;

	bpf_fs_link_dir(dir, bpf->bpffs, bpf->instance);
	pins = opendir(dir);
	if (!pins)
		return;
	while (!enough && (entry = readdir(pins))) {
		AUTO_CLOSE int fd = -1;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		fd = bpf_obj_get(path);
		enough = visit(fd, data);
	}
	closedir(pins);
}

static bool note_state(int fd, void *data)
{
	enum bpf_pins *state = data;

	*state = fd >= 0 && bpf_pin_is_alive(fd) ? BPF_PINS_ALIVE : BPF_PINS_DEAD;
	return *state == BPF_PINS_ALIVE;
}

enum bpf_pins bpf_pins_state(const struct bpf *bpf)
{
	enum bpf_pins state = BPF_PINS_NONE;

	each_pin(bpf, note_state, &state);
	return state;
}

struct visitor {
	void (*visit)(uint32_t program_id, void *data);
	void *data;
	bool any;
};

static bool visit_program(int fd, void *data)
{
	struct visitor *visitor = data;
	struct link_info info;

	if (fd < 0 || link_read(fd, &info))
		return false;
	visitor->visit(info.prog_id, visitor->data);
	visitor->any = true;
	return false;
}

bool bpf_pins_each_program(const struct bpf *bpf, void (*visit)(uint32_t program_id, void *data),
			   void *data)
{
	struct visitor visitor = { .visit = visit, .data = data };

	each_pin(bpf, visit_program, &visitor);
	return visitor.any;
}
