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
#include "kernel/bpf_socket_link.h"
#include "sock_hide.skel.h"
#include "sock_lb.skel.h"

static int load_lb(struct bpf *bpf, const struct state *want, struct err *err)
{
	int r;

	bpf->sock_lb = tp_sock_lb__open();
	if (!bpf->sock_lb)
		return bpf_log_error(err, -errno);
	r = bpf_prepare(bpf, bpf->sock_lb->obj, want, NULL, err);
	if (!r && tp_sock_lb__load(bpf->sock_lb))
		r = bpf_log_error(err, -errno);
	if (r)
		tp_sock_lb__destroy(TAKE(bpf->sock_lb));
	return r;
}

static int load_hide(struct bpf *bpf, const struct state *want, struct err *err)
{
	int r;

	bpf->sock_hide = tp_sock_hide__open();
	if (!bpf->sock_hide)
		return bpf_log_error(err, -errno);
	r = bpf_prepare(bpf, bpf->sock_hide->obj, want, NULL, err);
	if (!r && tp_sock_hide__load(bpf->sock_hide))
		r = bpf_log_error(err, -errno);
	if (r)
		tp_sock_hide__destroy(TAKE(bpf->sock_hide));
	return r;
}

int bpf_load_sockets(struct bpf *bpf, const struct state *want, struct err *err)
{
	int r = 0;

	bpf_log_begin();
	if (!bpf->sock_lb) /* first: all maps that the two share are in its object */
		r = load_lb(bpf, want, err);
	if (!r && !bpf->sock_hide)
		r = load_hide(bpf, want, err);
	if (!r)
		bpf_log_end();
	return r;
}

bool bpf_sockets_have_maps(const struct bpf *bpf)
{
	static const char *const names[] = { "tp_services",    "tp_backends", "tp_exempt",
					     "tp_socket_lb",   "tp_sock_rev", "tp_sock_udp",
					     "tp_sock_hidden", "tp_sock_own", "tp_foreign" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_CLOSE int fd = bpf_map_open(bpf, names[i]);

		if (fd < 0)
			return false;
	}
	return true;
}

static int program_fd(const struct bpf *bpf, enum socket_program program)
{
	const char *name = socket_program_name(program);
	const struct bpf_object *object =
		program < SOCKET_SET_SIZE ? bpf->sock_lb->obj : bpf->sock_hide->obj;

	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static int explain(const struct state *want, enum socket_program program, int r, struct err *err)
{
	const char *cgroup = want->socket_lb.settings.cgroup;
	const char *name = socket_program_name(program);

	if (r == -EPERM)
		return err_set(err, r,
			       "attach %s to %s: another tool's program is there that was attached "
			       "without BPF_F_ALLOW_MULTI and lets none run beside it: "
			       "`bpftool cgroup show %s effective` names it",
			       name, cgroup, cgroup);
	return err_sys(err, r, "attach %s to %s", name, cgroup);
}

static int attach_one(const struct bpf *bpf, const struct state *want, int cgroup,
		      enum socket_program program, struct err *err)
{
	uint64_t wanted = want->socket_lb.cgroup_id[program / SOCKET_SET_SIZE];
	struct socket_link link;
	AUTO_CLOSE int old = bpf_socket_link_open(bpf, program, &link);
	AUTO_CLOSE int fd = -1;
	int r;

	if (old >= 0 && link.cgroup_id == wanted && bpf_socket_link_is_placed(bpf, cgroup, program))
		return bpf_link_update(old, program_fd(bpf, program), NULL)
			       ? explain(want, program, -errno, err)
			       : 0;
	fd = bpf_socket_link_create(program_fd(bpf, program), cgroup, program);
	if (fd < 0)
		return explain(want, program, fd, err);
	r = bpf_socket_link_pin(bpf, fd, program, err);
	/* a daemon holds it, so that its pin is not all. ENOLINK: its cgroup is gone */
	if (!r && old >= 0 && bpf_link_detach(old) && errno != ENOLINK)
		r = err_sys(err, -errno, "detach the earlier %s", socket_program_name(program));
	return r;
}

int bpf_attach_sockets(struct bpf *bpf, const struct state *want, enum socket_set set,
		       struct err *err)
{
	AUTO_CLOSE int cgroup =
		open(want->socket_lb.settings.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned int i;
	int r;

	if (cgroup < 0)
		return err_sys(err, -errno, "open cgroup %s", want->socket_lb.settings.cgroup);
	r = bpf_load_sockets(bpf, want, err);
	for (i = 0; !r && i < SOCKET_SET_SIZE; i++)
		r = attach_one(bpf, want, cgroup, set * SOCKET_SET_SIZE + i, err);
	return r;
}

int bpf_detach_sockets(const struct bpf *bpf, enum socket_set set, struct err *err)
{
	unsigned int i = SOCKET_SET_SIZE;
	int r = 0;

	while (!r && i-- > 0)
		r = bpf_socket_link_remove(bpf, set * SOCKET_SET_SIZE + i, err);
	return r;
}

/* The cgroup that all programs of a set are attached to; 0: there is none. */
static uint64_t read_set(const struct bpf *bpf, struct socket_lb *lb, enum socket_set set)
{
	uint64_t cgroup_id = 0;
	unsigned int i;

	for (i = 0; i < SOCKET_SET_SIZE; i++) {
		enum socket_program program = set * SOCKET_SET_SIZE + i;
		struct socket_link link;
		AUTO_CLOSE int fd = bpf_socket_link_open(bpf, program, &link);

		if (fd >= 0 && link.cgroup_id)
			lb->link_ids[program] = link.id;
		if (!i)
			cgroup_id = link.cgroup_id;
		else if (cgroup_id != link.cgroup_id)
			cgroup_id = 0;
	}
	return socket_lb_links(lb, set) == SOCKET_SET_SIZE && bpf_sockets_have_maps(bpf) ? cgroup_id
											 : 0;
}

static bool is_placed(const struct bpf *bpf, const struct socket_lb *lb, enum socket_set set)
{
	AUTO_CLOSE int cgroup = open(lb->settings.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned int i;

	for (i = 0; cgroup >= 0 && i < SOCKET_SET_SIZE; i++)
		if (!bpf_socket_link_is_placed(bpf, cgroup, set * SOCKET_SET_SIZE + i))
			return false;
	return cgroup >= 0;
}

void bpf_read_sockets(const struct bpf *bpf, struct state *have)
{
	struct socket_lb *lb = &have->socket_lb;
	enum socket_set set;

	for (set = 0; set < SOCKET_SETS; set++) {
		lb->cgroup_id[set] = read_set(bpf, lb, set);
		if (lb->cgroup_id[set] && !is_placed(bpf, lb, set))
			lb->cgroup_id[set] = 0;
	}
}
