// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_socket_link.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_fs_put.h"

/* Flags that linux/bpf.h of Debian 12 lacks; the numbers are the kernel's ABI. */
#define FLAG_BEFORE   (1U << 3) /* BPF_F_BEFORE, for cgroups since 6.17 */
#define FLAG_PREORDER (1U << 6) /* BPF_F_PREORDER */

#define PROGRAMS_MAX 64 /* on one hook; the kernel's own limit for one cgroup */

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

/* "links/cgroup-tp_connect4": no device's hook is called so. */
static void pin_path(char out[BPF_FS_PATH_SIZE], const struct bpf *bpf, enum socket_program program)
{
	char dir[BPF_FS_PATH_SIZE];

	bpf_fs_link_dir(dir, bpf->bpffs, bpf->instance);
	if (snprintf(out, BPF_FS_PATH_SIZE, "%s/cgroup-%s", dir, socket_program_name(program)) >=
	    BPF_FS_PATH_SIZE)
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

int bpf_socket_link_open(const struct bpf *bpf, enum socket_program program,
			 struct socket_link *out)
{
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	*out = (struct socket_link){ 0 };
	pin_path(path, bpf, program);
	fd = bpf_obj_get(path);
	return fd >= 0 && read_link(fd, out) ? mem_take_fd(&fd) : -1;
}

bool bpf_socket_goes_first(enum socket_program program)
{
	return program >= SOCKET_HIDE_CONNECT4;
}

static int create(int program_fd, int cgroup_fd, enum socket_program program, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(program_fd, cgroup_fd, attach_types[program], &opts);

	return fd < 0 ? -errno : fd;
}

/* Before another program that goes first: Linux 6.17; without that, before all that do not. */
int bpf_socket_link_create(int program_fd, int cgroup_fd, enum socket_program program)
{
	int fd;

	if (!bpf_socket_goes_first(program))
		return create(program_fd, cgroup_fd, program, 0);
	fd = create(program_fd, cgroup_fd, program, FLAG_PREORDER | FLAG_BEFORE);
	if (fd == -EINVAL)
		fd = create(program_fd, cgroup_fd, program, FLAG_PREORDER);
	return fd;
}

/* A program that lets everything pass. */
static int load_nothing(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = attach_types[SOCKET_HIDE_CONNECT4]);
	int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "tp_probe", "GPL", code,
			       ARRAY_SIZE(code), &opts);

	return fd < 0 ? -errno : fd;
}

static int try_in(const char *path)
{
	AUTO_CLOSE int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int program = load_nothing();
	AUTO_CLOSE int link = -1;

	if (cgroup < 0 || program < 0)
		return cgroup < 0 ? -errno : program;
	link = bpf_socket_link_create(program, cgroup, SOCKET_HIDE_CONNECT4);
	return link < 0 ? link : 0;
}

static int refuse(struct err *err)
{
	return err_set(err, -EOPNOTSUPP,
		       "this kernel has no BPF_F_PREORDER (Linux 6.15, 6.12.30, 6.6.93), so "
		       "nothing can be hidden from other tools: \"foreign\": \"off\" in "
		       "\"socket_lb\"");
}

int bpf_socket_can_go_first(const char *cgroup, struct err *err)
{
	static bool known, lacks;
	char path[TP_CGROUP_SIZE + 32];
	int r;

	if (known)
		return 0;
	if (lacks)
		return refuse(err);
	snprintf(path, sizeof(path), "%s/towpath-probe-%d", cgroup, (int)getpid());
	if (mkdir(path, 0700) && errno != EEXIST) /* of one who was killed, in a pod always pid 1 */
		return err_sys(err, -errno, "make cgroup %s", path);
	r = try_in(path);
	if (rmdir(path) && !r)
		r = -errno;
	known = !r;
	if (r == -EPERM) /* whoever stands in the way is named by who really attaches */
		r = 0;
	lacks = r == -EINVAL;
	if (lacks)
		return refuse(err);
	return r ? err_sys(err, r, "try a program in cgroup %s", path) : 0;
}

int bpf_socket_link_pin(const struct bpf *bpf, int fd, enum socket_program program, struct err *err)
{
	char path[BPF_FS_PATH_SIZE];

	pin_path(path, bpf, program);
	return bpf_fs_put_pin(bpf->bpffs, bpf->instance, fd, path, err);
}

int bpf_socket_link_remove(const struct bpf *bpf, enum socket_program program, struct err *err)
{
	struct socket_link link;
	AUTO_CLOSE int fd = bpf_socket_link_open(bpf, program, &link);
	char path[BPF_FS_PATH_SIZE];

	/* ENOLINK: the cgroup is gone, and the attachment with it */
	if (fd >= 0 && bpf_link_detach(fd) && errno != ENOLINK)
		return err_sys(err, -errno, "detach %s", socket_program_name(program));
	pin_path(path, bpf, program);
	if (unlink(path) && errno != ENOENT)
		return err_sys(err, -errno, "unpin %s", path);
	return 0;
}

/* Programs that a cgroup's sockets run on one hook, in that order; ours among them. */
struct order {
	__u32 ids[PROGRAMS_MAX];
	__u32 count;
	__u32 ours[SOCKET_PROGRAMS];
};

static int read_order(const struct bpf *bpf, int cgroup_fd, enum bpf_attach_type type,
		      struct order *out)
{
	enum socket_program program;

	out->count = PROGRAMS_MAX;
	if (bpf_prog_query(cgroup_fd, type, BPF_F_QUERY_EFFECTIVE, NULL, out->ids, &out->count))
		return -errno;
	for (program = 0; program < SOCKET_PROGRAMS; program++) {
		struct socket_link link;
		int fd = bpf_socket_link_open(bpf, program, &link);

		mem_close_fd(&fd);
		out->ours[program] = link.program_id;
	}
	return 0;
}

static bool is_ours(const struct order *order, __u32 id)
{
	enum socket_program program;

	for (program = 0; program < SOCKET_PROGRAMS; program++)
		if (order->ours[program] == id)
			return true;
	return false;
}

/* Of another instance, which leaves alone what ours has hidden. By its name: none is pinned. */
static bool is_our_kind(__u32 id)
{
	AUTO_CLOSE int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return false;
	return !strncmp(info.name, "tp_hide_", strlen("tp_hide_")) ||
	       !strncmp(info.name, "tp_restore_", strlen("tp_restore_"));
}

bool bpf_socket_link_is_placed(const struct bpf *bpf, int cgroup_fd, enum socket_program program)
{
	bool first = bpf_socket_goes_first(program), met = false;
	struct order order = { 0 };
	__u32 i;

	if (program < SOCKET_SET_SIZE || program >= SOCKET_PROGRAMS)
		return true;
	if (read_order(bpf, cgroup_fd, attach_types[program], &order))
		return false;
	for (i = 0; i < order.count; i++) {
		if (order.ids[i] == order.ours[program])
			met = true;
		else if (met != first && !is_ours(&order, order.ids[i]) &&
			 !is_our_kind(order.ids[i]))
			return false; /* another's: before what hides, or behind what puts back */
	}
	return met;
}
