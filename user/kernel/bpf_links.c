// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_links.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_owner.h"
#include "kernel/bpf_rows.h"
#include "kernel/rt_filter.h"

/* linux/bpf.h before 6.6 has none of these; the numbers are the kernel's ABI. */
#define TCX_INGRESS   46        /* BPF_TCX_INGRESS */
#define TCX_EGRESS    47        /* BPF_TCX_EGRESS */
#define FLAG_BEFORE   (1U << 3) /* BPF_F_BEFORE; without it a link lands last */
#define LINK_TYPE_TCX 11        /* BPF_LINK_TYPE_TCX */

/* struct bpf_link_info as of 6.6, as far as tcx goes. */
struct tcx_link_info {
	__u32 type;
	__u32 id;
	__u32 prog_id;
	__u32 pad;
	__u32 ifindex; /* 0: the device is gone */
	__u32 attach_type;
	__u8 rest[64];
};

static const char *const hook_names[] = {
	[HOOK_TC_TUNNEL] = "tunnel",
	[HOOK_TC_LAN] = "lan",
	[HOOK_TC_EGRESS] = "egress",
};

/* "links/eth0-lan". A bpffs name holds no dot, a device name holds no colon. */
static void link_path(char out[BPF_FS_PATH_SIZE], const struct bpf *bpf, const char *device,
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

static int tcx_type(enum state_hook hook)
{
	return hook == HOOK_TC_EGRESS ? TCX_EGRESS : TCX_INGRESS;
}

static enum bpf_tc_attach_point clsact_point(enum state_hook hook)
{
	return hook == HOOK_TC_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

static int link_read(int fd, struct tcx_link_info *info)
{
	__u32 length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &length) ? -errno : 0;
}

/* The pinned link of this hook if it is alive on that device, or -1. */
static int link_open_alive(const char *path, uint32_t ifindex)
{
	AUTO_CLOSE int fd = bpf_obj_get(path);
	struct tcx_link_info info;

	if (fd < 0 || link_read(fd, &info) || info.type != LINK_TYPE_TCX || info.ifindex != ifindex)
		return -1;
	return mem_take_fd(&fd);
}

static int tcx_attach(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
		      struct err *err)
{
	int program = bpf_program_fd(bpf, a->hook);
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = FLAG_BEFORE);
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	link_path(path, bpf, a->device, a->hook);
	fd = link_open_alive(path, ifindex);
	if (fd >= 0) {
		if (bpf_link_update(fd, program, NULL))
			return err_sys(err, -errno, "update %s on %s", state_program_name(a->hook),
				       a->device);
		return 0;
	}

	fd = bpf_link_create(program, (int)ifindex, tcx_type(a->hook), &opts);
	if (fd < 0)
		return err_sys(err, -errno, "attach %s to %s by tcx", state_program_name(a->hook),
			       a->device);
	/* a pin of that name is of a device that no longer exists */
	if (unlink(path) && errno != ENOENT)
		return err_sys(err, -errno, "unpin %s", path);
	if (bpf_obj_pin(fd, path))
		return err_sys(err, -errno, "pin %s", path);
	return 0;
}

/* The id of our clsact filter's program, 0 when there is none. */
static uint32_t clsact_program(uint32_t ifindex, enum state_hook hook_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = clsact_point(hook_id));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TP_TC_HANDLE, .priority = TP_TC_PRIORITY);

	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

static int clsact_attach(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
			 struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = clsact_point(a->hook));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TP_TC_HANDLE, .priority = TP_TC_PRIORITY,
		    .prog_fd = bpf_program_fd(bpf, a->hook), .flags = BPF_TC_F_REPLACE);
	uint32_t there = clsact_program(ifindex, a->hook);
	int r;

	if (there && !bpf_owns_program(bpf, there, state_program_name(a->hook)))
		return err_set(err, -EEXIST,
			       "%s holds a filter of priority %u and handle %u that is not ours",
			       a->device, TP_TC_PRIORITY, TP_TC_HANDLE);
	r = bpf_tc_hook_create(&hook);
	if (r && r != -EEXIST)
		return err_sys(err, r, "add a clsact qdisc to %s", a->device);
	/* noted before anything else can go wrong, or `down` would leave it behind */
	if (!r)
		r = bpf_note_qdisc(bpf, ifindex, err);
	if (r && r != -EEXIST)
		return r;
	r = bpf_tc_attach(&hook, &opts);
	if (r)
		return err_sys(err, r, "attach %s to %s by clsact", state_program_name(a->hook),
			       a->device);
	return 0;
}

int bpf_remove_qdisc(uint32_t ifindex, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int filters = rt_filter_count(ifindex, err), r;

	if (filters)
		return filters < 0 ? filters : 0; /* somebody else moved in: leave it */
	r = bpf_tc_hook_destroy(&hook);
	/* the qdisc or its device is gone already */
	if (r && r != -ENOENT && r != -EINVAL && r != -ENODEV)
		return err_sys(err, r, "remove our clsact qdisc from device %u", ifindex);
	return 0;
}

static int clsact_detach(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
			 bool remove_qdisc, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = clsact_point(a->hook));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TP_TC_HANDLE, .priority = TP_TC_PRIORITY);
	uint32_t program = clsact_program(ifindex, a->hook);
	int r = 0;

	if (program && bpf_owns_program(bpf, program, state_program_name(a->hook)))
		r = bpf_tc_detach(&hook, &opts);
	if (r && r != -ENOENT) /* somebody was faster */
		return err_sys(err, r, "detach %s from %s", state_program_name(a->hook), a->device);
	return remove_qdisc ? bpf_remove_qdisc(ifindex, err) : 0;
}

static int tcx_detach(const struct bpf *bpf, const struct state_attachment *a, struct err *err)
{
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	link_path(path, bpf, a->device, a->hook);
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

int bpf_attach(const struct bpf *bpf, const struct state_attachment *a, enum bpf_attach_mode mode,
	       struct err *err)
{
	uint32_t ifindex = if_nametoindex(a->device);
	int r = -EINVAL;

	if (!ifindex)
		return err_sys(err, -errno, "find device %s", a->device);
	if (mode != ATTACH_CLSACT) {
		r = tcx_attach(bpf, a, ifindex, err);
		if (!r)
			return clsact_detach(bpf, a, ifindex, false, err); /* of an earlier apply */
		if (r != -EINVAL) /* what a kernel without tcx says */
			return r;
		if (mode == ATTACH_TCX)
			return err_set(err, -EOPNOTSUPP,
				       "attach %s to %s by tcx: this kernel has none; "
				       "--tc-attach auto would use clsact",
				       state_program_name(a->hook), a->device);
	}
	r = clsact_attach(bpf, a, ifindex, err);
	return r ? r : tcx_detach(bpf, a, err);
}

int bpf_detach(const struct bpf *bpf, const struct state_attachment *a, bool remove_qdisc,
	       struct err *err)
{
	uint32_t ifindex = if_nametoindex(a->device);
	int r = tcx_detach(bpf, a, err);

	if (r || !ifindex)
		return r;
	return clsact_detach(bpf, a, ifindex, remove_qdisc, err);
}

/* 0 with *out filled, -ENOENT when this hook holds nothing of ours. */
static int read_one(const struct bpf *bpf, const struct facts_link *device, enum state_hook hook,
		    struct state_attachment *out)
{
	struct tcx_link_info info;
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;
	uint32_t program;

	snprintf(out->device, sizeof(out->device), "%s", device->name);
	out->ifindex = device->ifindex;
	out->hook = hook;
	link_path(path, bpf, device->name, hook);
	fd = link_open_alive(path, device->ifindex);
	if (fd >= 0 && !link_read(fd, &info)) {
		out->tcx = true;
		out->link_id = info.id;
		return 0;
	}
	program = clsact_program(device->ifindex, hook);
	return program && bpf_owns_program(bpf, program, state_program_name(hook)) ? 0 : -ENOENT;
}

static bool is_pin_alive(const char *dir, const char *name)
{
	char path[BPF_FS_PATH_SIZE + NAME_MAX + 2];
	struct tcx_link_info info;
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	return fd >= 0 && !link_read(fd, &info) && info.type == LINK_TYPE_TCX && info.ifindex;
}

bool bpf_is_attached(const struct bpf *bpf)
{
	char path[BPF_FS_PATH_SIZE];
	struct dirent *entry;
	bool pinned = false, alive = false;
	DIR *dir;

	bpf_fs_link_dir(path, bpf->bpffs, bpf->instance);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!alive && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		pinned = true;
		alive = is_pin_alive(path, entry->d_name);
	}
	closedir(dir);
	/* a dead link keeps its program loaded; without links only a filter can */
	return pinned ? alive : bpf_has_programs(bpf);
}

static int compare_devices(const void *a, const void *b)
{
	const struct state_attachment *x = a, *y = b;
	int r = strcmp(x->device, y->device);

	return r ? r : (int)x->hook - (int)y->hook;
}

int bpf_read_attachments(const struct bpf *bpf, const struct facts *facts, struct state *have,
			 struct err *err)
{
	const struct facts_link *device;
	enum state_hook hook;

	array_for_each(device, &facts->links) {
		for (hook = HOOK_TC_TUNNEL; hook <= HOOK_TC_EGRESS; hook++) {
			struct state_attachment found = {};
			struct state_attachment *added;

			if (read_one(bpf, device, hook, &found))
				continue;
			added = array_add(&have->attachments);
			if (!added)
				return err_sys(err, -ENOMEM, "list attachments");
			*added = found;
			have->exists = true;
		}
	}
	if (have->attachments.count)
		qsort(have->attachments.items, have->attachments.count,
		      sizeof(*have->attachments.items), compare_devices);
	return 0;
}
