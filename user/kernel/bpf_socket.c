// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_socket.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_log.h"
#include "sock_lb.skel.h"

static const enum bpf_attach_type attach_types[SOCKET_HOOKS] = {
	[SOCKET_GETPEERNAME4] = BPF_CGROUP_INET4_GETPEERNAME,
	[SOCKET_GETPEERNAME6] = BPF_CGROUP_INET6_GETPEERNAME,
	[SOCKET_RECVMSG4] = BPF_CGROUP_UDP4_RECVMSG,
	[SOCKET_RECVMSG6] = BPF_CGROUP_UDP6_RECVMSG,
	[SOCKET_SENDMSG4] = BPF_CGROUP_UDP4_SENDMSG,
	[SOCKET_SENDMSG6] = BPF_CGROUP_UDP6_SENDMSG,
	[SOCKET_CONNECT4] = BPF_CGROUP_INET4_CONNECT,
	[SOCKET_CONNECT6] = BPF_CGROUP_INET6_CONNECT,
};

int bpf_load_socket(struct bpf *bpf, const struct state *want, struct err *err)
{
	int r = 0;

	if (bpf->socket)
		return 0;
	bpf_log_begin();
	bpf->socket = tp_sock_lb__open();
	if (!bpf->socket)
		return bpf_log_error(err, -errno);
	r = bpf_prepare(bpf, bpf->socket->obj, want, err);
	if (!r && tp_sock_lb__load(bpf->socket))
		r = bpf_log_error(err, -errno);
	if (r) {
		tp_sock_lb__destroy(bpf->socket);
		bpf->socket = NULL;
	}
	return r;
}

/* "links/cgroup-tp_connect4": no device's hook is called so. */
static void pin_path(char out[BPF_FS_PATH_SIZE], const struct bpf *bpf, enum socket_hook hook)
{
	char dir[BPF_FS_PATH_SIZE];

	bpf_fs_link_dir(dir, bpf->bpffs, bpf->instance);
	if (snprintf(out, BPF_FS_PATH_SIZE, "%s/cgroup-%s", dir, socket_program_name(hook)) >=
	    BPF_FS_PATH_SIZE)
		out[0] = '\0';
}

/* The pinned link's fd, or -1; info is zero then. Of a cgroup that is gone, cgroup_id is 0. */
static int open_link(const struct bpf *bpf, enum socket_hook hook, struct bpf_link_info *info)
{
	char path[BPF_FS_PATH_SIZE];
	__u32 length = sizeof(*info);
	AUTO_CLOSE int fd = -1;

	pin_path(path, bpf, hook);
	memset(info, 0, sizeof(*info));
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, info, &length) ||
	    info->type != BPF_LINK_TYPE_CGROUP) {
		memset(info, 0, sizeof(*info));
		return -1;
	}
	return mem_take_fd(&fd);
}

static int pin_link(const struct bpf *bpf, int fd, enum socket_hook hook, struct err *err)
{
	char path[BPF_FS_PATH_SIZE];

	pin_path(path, bpf, hook);
	if (unlink(path) && errno != ENOENT)
		return err_sys(err, -errno, "unpin %s", path);
	return bpf_obj_pin(fd, path) ? err_sys(err, -errno, "pin %s", path) : 0;
}

static int explain(const struct state *want, enum socket_hook hook, int r, struct err *err)
{
	const char *cgroup = want->socket_lb.settings.cgroup;

	if (r == -EPERM)
		return err_set(err, r,
			       "attach %s to %s: another tool's program is there that was attached "
			       "without BPF_F_ALLOW_MULTI and lets none run beside it: "
			       "`bpftool cgroup show %s effective` names it",
			       socket_program_name(hook), cgroup, cgroup);
	return err_sys(err, r, "attach %s to %s", socket_program_name(hook), cgroup);
}

static int attach_one(const struct bpf *bpf, const struct state *want, int cgroup,
		      enum socket_hook hook, struct err *err)
{
	struct bpf_program *program =
		bpf_object__find_program_by_name(bpf->socket->obj, socket_program_name(hook));
	struct bpf_link_info info;
	AUTO_CLOSE int old = open_link(bpf, hook, &info);
	AUTO_CLOSE int fd = -1;

	if (old >= 0 && info.cgroup.cgroup_id == want->socket_lb.cgroup_id)
		return bpf_link_update(old, bpf_program__fd(program), NULL)
			       ? explain(want, hook, -errno, err)
			       : 0;
	fd = bpf_link_create(bpf_program__fd(program), cgroup, attach_types[hook], NULL);
	if (fd < 0)
		return explain(want, hook, -errno, err);
	return pin_link(bpf, fd, hook, err);
}

int bpf_attach_socket(struct bpf *bpf, const struct state *want, struct err *err)
{
	AUTO_CLOSE int cgroup =
		open(want->socket_lb.settings.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum socket_hook hook;
	int r = 0;

	if (cgroup < 0)
		return err_sys(err, -errno, "open cgroup %s", want->socket_lb.settings.cgroup);
	r = bpf_load_socket(bpf, want, err);
	for (hook = 0; !r && hook < SOCKET_HOOKS; hook++)
		r = attach_one(bpf, want, cgroup, hook, err);
	return r;
}

static int detach_one(const struct bpf *bpf, enum socket_hook hook, struct err *err)
{
	struct bpf_link_info info;
	AUTO_CLOSE int fd = open_link(bpf, hook, &info);
	char path[BPF_FS_PATH_SIZE];

	/* ENOLINK: the cgroup is gone, and the attachment with it */
	if (fd >= 0 && bpf_link_detach(fd) && errno != ENOLINK)
		return err_sys(err, -errno, "detach %s", socket_program_name(hook));
	pin_path(path, bpf, hook);
	if (unlink(path) && errno != ENOENT)
		return err_sys(err, -errno, "unpin %s", path);
	return 0;
}

int bpf_detach_socket(const struct bpf *bpf, struct err *err)
{
	enum socket_hook hook = SOCKET_HOOKS;
	int r = 0;

	while (!r && hook-- > 0)
		r = detach_one(bpf, hook, err);
	return r;
}

void bpf_read_socket_links(const struct bpf *bpf, struct state *have)
{
	struct socket_lb *lb = &have->socket_lb;
	enum socket_hook hook;

	for (hook = 0; hook < SOCKET_HOOKS; hook++) {
		struct bpf_link_info info;
		AUTO_CLOSE int fd = open_link(bpf, hook, &info);

		if (fd >= 0 && info.cgroup.cgroup_id)
			lb->link_ids[hook] = info.id;
		if (!hook)
			lb->cgroup_id = info.cgroup.cgroup_id;
		else if (lb->cgroup_id != info.cgroup.cgroup_id)
			lb->cgroup_id = 0;
	}
}
