// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_socket_link.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "kernel/bpf_fs_put.h"

/* Flags that linux/bpf.h of Debian 12 lacks; the numbers are the kernel's ABI. */
#define FLAG_BEFORE   (1U << 3) /* BPF_F_BEFORE, for cgroups since 6.17 */
#define FLAG_PREORDER (1U << 6) /* BPF_F_PREORDER */

static const enum bpf_attach_type attach_types[SOCKET_PROGRAMS] = {
	[SOCKET_GETPEERNAME4] = BPF_CGROUP_INET4_GETPEERNAME,
	[SOCKET_GETPEERNAME6] = BPF_CGROUP_INET6_GETPEERNAME,
	[SOCKET_RECVMSG4] = BPF_CGROUP_UDP4_RECVMSG,
	[SOCKET_RECVMSG6] = BPF_CGROUP_UDP6_RECVMSG,
	[SOCKET_SENDMSG4] = BPF_CGROUP_UDP4_SENDMSG,
	[SOCKET_SENDMSG6] = BPF_CGROUP_UDP6_SENDMSG,
	[SOCKET_CONNECT4] = BPF_CGROUP_INET4_CONNECT,
	[SOCKET_CONNECT6] = BPF_CGROUP_INET6_CONNECT,
	[SOCKET_RESTORE_CONNECT4] = BPF_CGROUP_INET4_CONNECT,
	[SOCKET_RESTORE_CONNECT6] = BPF_CGROUP_INET6_CONNECT,
	[SOCKET_RESTORE_SENDMSG4] = BPF_CGROUP_UDP4_SENDMSG,
	[SOCKET_RESTORE_SENDMSG6] = BPF_CGROUP_UDP6_SENDMSG,
	[SOCKET_HIDE_CONNECT4] = BPF_CGROUP_INET4_CONNECT,
	[SOCKET_HIDE_CONNECT6] = BPF_CGROUP_INET6_CONNECT,
	[SOCKET_HIDE_SENDMSG4] = BPF_CGROUP_UDP4_SENDMSG,
	[SOCKET_HIDE_SENDMSG6] = BPF_CGROUP_UDP6_SENDMSG,
};

enum bpf_attach_type bpf_socket_attach_type(enum socket_program program)
{
	return attach_types[program];
}

/* "links/cgroup-tp_connect4", or "links/cgroup-4711-tp_hide_c4": no device's hook is called so. */
static void pin_path(char out[BPF_FS_PATH_SIZE], const struct bpf *bpf, enum socket_program program,
		     uint64_t below)
{
	char dir[BPF_FS_PATH_SIZE], where[32] = "";

	bpf_fs_link_dir(dir, bpf->bpffs, bpf->instance);
	if (below)
		snprintf(where, sizeof(where), "%" PRIu64 "-", below);
	if (snprintf(out, BPF_FS_PATH_SIZE, "%s/cgroup-%s%s", dir, where,
		     socket_program_name(program)) >= BPF_FS_PATH_SIZE)
		out[0] = '\0';
}

/* False also for what is no such link. */
static bool read_link(int fd, struct socket_link *out)
{
	struct bpf_link_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length) || info.type != BPF_LINK_TYPE_CGROUP)
		return false;
	*out = (struct socket_link){ info.id, info.prog_id, info.cgroup.cgroup_id };
	return true;
}

bool bpf_socket_link_is_alive(int fd)
{
	struct socket_link link;

	return read_link(fd, &link) && link.cgroup_id;
}

int bpf_socket_link_open(const struct bpf *bpf, enum socket_program program, uint64_t below,
			 struct socket_link *out)
{
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	*out = (struct socket_link){ 0 };
	pin_path(path, bpf, program, below);
	fd = bpf_obj_get(path);
	return fd >= 0 && read_link(fd, out) ? mem_take_fd(&fd) : -1;
}

static int create(int program_fd, int cgroup_fd, enum socket_program program, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(program_fd, cgroup_fd, attach_types[program], &opts);

	return fd < 0 ? -errno : fd;
}

/* Before another program that goes first: Linux 6.17; without that, before all that do not. */
int bpf_socket_link_create(int program_fd, int cgroup_fd, enum socket_program program, bool first)
{
	int fd;

	if (!first)
		return create(program_fd, cgroup_fd, program, 0);
	fd = create(program_fd, cgroup_fd, program, FLAG_PREORDER | FLAG_BEFORE);
	if (fd == -EINVAL)
		fd = create(program_fd, cgroup_fd, program, FLAG_PREORDER);
	return fd;
}

int bpf_socket_link_pin(const struct bpf *bpf, int fd, enum socket_program program, uint64_t below,
			struct err *err)
{
	char path[BPF_FS_PATH_SIZE];

	pin_path(path, bpf, program, below);
	return bpf_fs_put_pin(bpf->bpffs, bpf->instance, fd, path, err);
}

int bpf_socket_link_remove(const struct bpf *bpf, enum socket_program program, uint64_t below,
			   struct err *err)
{
	struct socket_link link;
	AUTO_CLOSE int fd = bpf_socket_link_open(bpf, program, below, &link);
	char path[BPF_FS_PATH_SIZE];

	/* ENOLINK: the cgroup is gone, and the attachment with it */
	if (fd >= 0 && bpf_link_detach(fd) && errno != ENOLINK)
		return err_sys(err, -errno, "detach %s", socket_program_name(program));
	pin_path(path, bpf, program, below);
	if (unlink(path) && errno != ENOENT)
		return err_sys(err, -errno, "unpin %s", path);
	return 0;
}

static bool is_kept(const struct socket_belows *keep, uint64_t cgroup_id)
{
	const struct socket_below *below;

	if (keep)
		array_for_each(below, keep)
			if (below->cgroup_id == cgroup_id)
				return true;
	return false;
}

/* Of a pin's name: the cgroup below and the program, or false. */
static bool read_name(const char *name, uint64_t *below, enum socket_program *program)
{
	int begins = 0;

	if (sscanf(name, "cgroup-%" SCNu64 "-%n", below, &begins) != 1 || !begins)
		return false;
	for (*program = SOCKET_HIDE_CONNECT4; *program < SOCKET_PROGRAMS; (*program)++)
		if (!strcmp(name + begins, socket_program_name(*program)))
			return true;
	return false;
}

int bpf_socket_links_remove_below(const struct bpf *bpf, const struct socket_belows *keep,
				  struct err *err)
{
	char path[BPF_FS_PATH_SIZE];
	struct dirent *entry;
	DIR *dir;
	int r = 0, more = 0;

	bpf_fs_link_dir(path, bpf->bpffs, bpf->instance);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", path);
	while (!r && (more = file_next(dir, &entry)) > 0) {
		enum socket_program program;
		uint64_t below;

		if (read_name(entry->d_name, &below, &program) && !is_kept(keep, below))
			r = bpf_socket_link_remove(bpf, program, below, err);
	}
	closedir(dir);
	return r || !more ? r : err_sys(err, more, "read %s", path);
}
