// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_socket.h"
#include "kernel/bpf_socket_link.h"
#include "kernel/bpf_socket_order.h"
#include "kernel/cgroup.h"

/* Where a program is to hang. */
struct place {
	enum socket_program program;
	const char *path; /* of its cgroup */
	int cgroup_fd;
	uint64_t cgroup_id;
	uint64_t below; /* cgroup_id, if it is one below that of the set; else 0 */
};

static int explain(const struct place *place, int r, struct err *err)
{
	const char *name = socket_program_name(place->program);

	if (r == -EPERM)
		return err_set(err, r,
			       "attach %s to %s: another tool's program is there that was attached "
			       "without BPF_F_ALLOW_MULTI and lets none run beside it: "
			       "`bpftool cgroup show %s effective` names it",
			       name, place->path, place->path);
	return err_sys(err, r, "attach %s to %s", name, place->path);
}

/* Below, each is where it can be: behind what is there already, it stays there. */
static bool is_placed(const struct bpf *bpf, const struct place *place)
{
	return place->below || bpf_socket_is_placed(bpf, place->cgroup_fd, place->program);
}

static int attach_one(const struct bpf *bpf, const struct place *place, struct err *err)
{
	int program_fd = bpf_socket_program_fd(bpf, place->program);
	bool first = bpf_socket_hides(place->program) && !place->below;
	struct socket_link link;
	AUTO_CLOSE int old = bpf_socket_link_open(bpf, place->program, place->below, &link);
	AUTO_CLOSE int fd = -1;
	int r;

	if (old >= 0 && link.cgroup_id == place->cgroup_id && is_placed(bpf, place))
		return bpf_link_update(old, program_fd, NULL) ? explain(place, -errno, err) : 0;
	fd = bpf_socket_link_create(program_fd, place->cgroup_fd, place->program, first);
	if (fd < 0)
		return explain(place, fd, err);
	r = bpf_socket_link_pin(bpf, fd, place->program, place->below, err);
	/* a daemon holds it, so that its pin is not all. ENOLINK: its cgroup is gone */
	if (!r && old >= 0 && bpf_link_detach(old) && errno != ENOLINK)
		r = err_sys(err, -errno, "detach the earlier %s",
			    socket_program_name(place->program));
	return r;
}

static int attach_range(const struct bpf *bpf, struct place place, enum socket_program from,
			enum socket_program to, struct err *err)
{
	int r = 0;

	for (place.program = from; !r && place.program < to; place.program++)
		r = attach_one(bpf, &place, err);
	return r;
}

/* A cgroup may go at any time, and then needs nothing. */
static int attach_to(const struct bpf *bpf, const char *parent, const struct socket_below *below,
		     struct err *err)
{
	struct place place = { .cgroup_id = below->cgroup_id, .below = below->cgroup_id };
	AUTO_FREE char *path = mem_format("%s/%s", parent, below->name);
	AUTO_CLOSE int fd = -1;
	int r;

	if (!path)
		return err_sys(err, -ENOMEM, "attach to cgroups below %s", parent);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open cgroup %s", path);
	place.path = path;
	place.cgroup_fd = fd;
	r = attach_range(bpf, place, SOCKET_HIDE_CONNECT4, SOCKET_PROGRAMS, err);
	return r && access(path, F_OK) && errno == ENOENT ? 0 : r;
}

/* A program of a cgroup runs before those of the cgroups above it. */
static int attach_below(const struct bpf *bpf, const char *parent, struct err *err)
{
	struct socket_belows all = { 0 };
	const struct socket_below *below;
	int r = cgroup_read_below(parent, &all);

	if (r)
		err_sys(err, r, "look for cgroups below %s", parent);
	array_for_each(below, &all)
		if (!r)
			r = attach_to(bpf, parent, below, err);
	if (!r)
		r = bpf_socket_links_remove_below(bpf, &all, err);
	array_clear(&all);
	return r;
}

static int remove_range(const struct bpf *bpf, enum socket_program from, enum socket_program to,
			struct err *err)
{
	int r = 0;

	while (!r && to-- > from)
		r = bpf_socket_link_remove(bpf, to, 0, err);
	return r;
}

/* What puts back comes first, so that nothing is hidden without it. */
static int attach_hiding(const struct bpf *bpf, const struct state *want, struct place place,
			 struct err *err)
{
	int r = attach_range(bpf, place, SOCKET_RESTORE_CONNECT4, SOCKET_HIDE_CONNECT4, err);

	if (r)
		return r;
	if (want->socket_lb.settings.hide & TP_HIDE_BELOW) {
		r = attach_below(bpf, place.path, err);
		return r ? r : remove_range(bpf, SOCKET_HIDE_CONNECT4, SOCKET_PROGRAMS, err);
	}
	r = attach_range(bpf, place, SOCKET_HIDE_CONNECT4, SOCKET_PROGRAMS, err);
	return r ? r : bpf_socket_links_remove_below(bpf, NULL, err);
}

int bpf_attach_sockets(struct bpf *bpf, const struct state *want, enum socket_set set,
		       struct err *err)
{
	struct place place = { .path = want->socket_lb.settings.cgroup,
			       .cgroup_id = want->socket_lb.cgroup_id[set] };
	AUTO_CLOSE int cgroup = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (cgroup < 0)
		return err_sys(err, -errno, "open cgroup %s", place.path);
	place.cgroup_fd = cgroup;
	r = bpf_load_sockets(bpf, want, err);
	if (r)
		return r;
	return set == SOCKET_SET_HIDE ? attach_hiding(bpf, want, place, err)
				      : attach_range(bpf, place, 0, SOCKET_SET_SIZE, err);
}

int bpf_detach_sockets(const struct bpf *bpf, enum socket_set set, struct err *err)
{
	enum socket_program first = set * SOCKET_SET_SIZE;
	int r = set == SOCKET_SET_HIDE ? bpf_socket_links_remove_below(bpf, NULL, err) : 0;

	return r ? r : remove_range(bpf, first, first + SOCKET_SET_SIZE, err);
}
