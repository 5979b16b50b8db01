// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_socket_order.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_socket_link.h"
#include "kernel/cgroup.h"

#define PROGRAMS_MAX 64 /* on one hook; the kernel's own limit for one cgroup */

/* Programs that a cgroup's sockets run on one hook, in that order; ours among them. */
struct order {
	__u32 ids[PROGRAMS_MAX];
	__u32 count;
	__u32 ours[SOCKET_PROGRAMS];
};

static bool read_order(int cgroup_fd, enum bpf_attach_type type, struct order *out)
{
	out->count = PROGRAMS_MAX;
	return !bpf_prog_query(cgroup_fd, type, BPF_F_QUERY_EFFECTIVE, NULL, out->ids, &out->count);
}

static void read_ours(const struct bpf *bpf, struct order *out)
{
	enum socket_program program;

	for (program = 0; program < SOCKET_PROGRAMS; program++) {
		struct socket_link link;
		int fd = bpf_socket_link_open(bpf, program, 0, &link);

		mem_close_fd(&fd);
		out->ours[program] = link.program_id;
	}
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

bool bpf_socket_hides(enum socket_program program)
{
	return program >= SOCKET_HIDE_CONNECT4;
}

bool bpf_socket_is_placed(const struct bpf *bpf, int cgroup_fd, enum socket_program program)
{
	bool first = bpf_socket_hides(program), met = false;
	struct order order = { 0 };
	__u32 i;

	if (program < SOCKET_SET_SIZE || program >= SOCKET_PROGRAMS)
		return true;
	if (!read_order(cgroup_fd, bpf_socket_attach_type(program), &order))
		return false;
	read_ours(bpf, &order);
	for (i = 0; i < order.count; i++) {
		if (order.ids[i] == order.ours[program])
			met = true;
		else if (met != first && !is_ours(&order, order.ids[i]) &&
			 !is_our_kind(order.ids[i]))
			return false; /* another's: before what hides, or behind what puts back */
	}
	return met;
}

bool bpf_socket_is_ahead(int cgroup_fd, enum socket_program program, uint32_t program_id)
{
	struct order order = { 0 };
	__u32 i;

	if (!read_order(cgroup_fd, bpf_socket_attach_type(program), &order))
		return false;
	for (i = 0; i < order.count; i++)
		if (order.ids[i] == program_id || !is_our_kind(order.ids[i]))
			return order.ids[i] == program_id;
	return false;
}

/* A program that lets everything pass. */
static int load_nothing(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = bpf_socket_attach_type(SOCKET_HIDE_CONNECT4));
	int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "tp_probe", "GPL", code,
			       ARRAY_SIZE(code), &opts);

	return fd < 0 ? -errno : fd;
}

static int try_in(const char *path, enum facts_order *out)
{
	AUTO_CLOSE int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int program = load_nothing();
	AUTO_CLOSE int link = -1;

	if (cgroup < 0 || program < 0)
		return cgroup < 0 ? -errno : program;
	link = bpf_socket_link_create(program, cgroup, SOCKET_HIDE_CONNECT4, true);
	if (link >= 0)
		*out = FACTS_ORDER_FIRST;
	else if (link == -EINVAL)
		*out = FACTS_ORDER_BELOW;
	else if (link == -EPERM)
		*out = FACTS_ORDER_SHUT;
	else
		return link;
	return 0;
}

int bpf_socket_find_order(const char *cgroup, enum facts_order *out, struct err *err)
{
	static enum facts_order known = FACTS_ORDER_UNKNOWN;
	char path[TP_CGROUP_SIZE + 32];
	int r;

	*out = known;
	if (known != FACTS_ORDER_UNKNOWN)
		return 0;
	snprintf(path, sizeof(path), "%s/" CGROUP_TRIAL "%d", cgroup, (int)getpid());
	if (mkdir(path, 0700) && errno != EEXIST) /* of one who was killed, in a pod always pid 1 */
		return err_sys(err, -errno, "make cgroup %s", path);
	r = try_in(path, out);
	if (rmdir(path) && !r)
		r = -errno;
	if (r)
		return err_sys(err, r, "try a program in cgroup %s", path);
	if (*out != FACTS_ORDER_SHUT) /* as long as that program is there */
		known = *out;
	return 0;
}
