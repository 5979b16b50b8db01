// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/mem.h"
#include "kernel/bpf_socket.h"
#include "kernel/bpf_socket_link.h"
#include "kernel/bpf_socket_order.h"
#include "kernel/cgroup.h"

/* The cgroup that all of these are attached to; 0: there is none. */
static uint64_t read_links(const struct bpf *bpf, struct socket_lb *lb, enum socket_program from,
			   enum socket_program to)
{
	enum socket_program program;
	uint64_t cgroup_id = 0;

	for (program = from; program < to; program++) {
		struct socket_link link;
		AUTO_CLOSE int fd = bpf_socket_link_open(bpf, program, 0, &link);

		if (fd >= 0 && link.cgroup_id)
			lb->link_ids[program] = link.id;
		if (program == from)
			cgroup_id = link.cgroup_id;
		else if (cgroup_id != link.cgroup_id)
			cgroup_id = 0;
	}
	return cgroup_id;
}

static bool are_placed(const struct bpf *bpf, const struct socket_lb *lb, enum socket_program from,
		       enum socket_program to)
{
	AUTO_CLOSE int cgroup = open(lb->settings.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum socket_program program;

	for (program = from; cgroup >= 0 && program < to; program++)
		if (!bpf_socket_is_placed(bpf, cgroup, program))
			return false;
	return cgroup >= 0;
}

enum below {
	BELOW_ALL,  /* also of one that is gone by now, which needs none */
	BELOW_NEW,  /* nothing was ever attached */
	BELOW_LOST, /* not all is there any more */
};

static enum below read_below(const struct bpf *bpf, const char *parent, struct socket_below *below)
{
	AUTO_FREE char *path = mem_format("%s/%s", parent, below->name);
	AUTO_CLOSE int cgroup = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	unsigned int there = 0, pinned = 0, i;

	if (cgroup < 0)
		return path && errno == ENOENT ? BELOW_ALL : BELOW_LOST;
	for (i = 0; i < SOCKET_HIDES; i++) {
		enum socket_program program = SOCKET_HIDE_CONNECT4 + i;
		struct socket_link link;
		AUTO_CLOSE int fd = bpf_socket_link_open(bpf, program, below->cgroup_id, &link);

		pinned += fd >= 0;
		if (fd < 0 || link.cgroup_id != below->cgroup_id)
			continue;
		there++;
		below->link_ids[i] = link.id;
		if (!bpf_socket_is_ahead(cgroup, program, link.program_id))
			below->overtaken = true;
	}
	if (there == SOCKET_HIDES)
		return BELOW_ALL;
	return pinned ? BELOW_LOST : BELOW_NEW;
}

/* The worst of all that there are. */
static int read_belows(const struct bpf *bpf, struct socket_lb *lb, enum below *out,
		       struct err *err)
{
	struct socket_below *below;
	int r = cgroup_read_below(lb->settings.cgroup, &lb->below);

	*out = r ? BELOW_LOST : BELOW_ALL;
	if (r == -ENOENT) /* the cgroup is gone, and nothing is in force */
		return 0;
	if (r)
		return err_sys(err, r, "look for cgroups below %s", lb->settings.cgroup);
	array_for_each(below, &lb->below) {
		enum below found = read_below(bpf, lb->settings.cgroup, below);

		if (found > *out)
			*out = found;
	}
	if (!(lb->settings.hide & TP_HIDE_EXEMPT))
		return 0;
	r = cgroup_find_stray(lb->settings.cgroup, &lb->exempt, &lb->stray);
	return r ? err_sys(err, r, "look at the processes in %s", lb->settings.cgroup) : 0;
}

/* In *out where it is in force, or 0. */
static int read_hiding(const struct bpf *bpf, struct socket_lb *lb, uint64_t *out, struct err *err)
{
	uint64_t back = read_links(bpf, lb, SOCKET_RESTORE_CONNECT4, SOCKET_HIDE_CONNECT4);
	uint64_t hides = read_links(bpf, lb, SOCKET_HIDE_CONNECT4, SOCKET_PROGRAMS);
	enum socket_program end = SOCKET_PROGRAMS;
	enum below found = hides == back ? BELOW_ALL : BELOW_LOST;
	int r = 0;

	*out = 0;
	if (lb->settings.hide & TP_HIDE_BELOW) {
		end = SOCKET_HIDE_CONNECT4;
		r = read_belows(bpf, lb, &found, err);
	}
	if (r || !back || found == BELOW_LOST || !are_placed(bpf, lb, SOCKET_RESTORE_CONNECT4, end))
		return r;
	if (found == BELOW_NEW)
		lb->grows = true;
	else
		*out = back;
	return 0;
}

int bpf_read_sockets(const struct bpf *bpf, struct state *have, struct err *err)
{
	struct socket_lb *lb = &have->socket_lb;
	uint64_t *in_force = lb->cgroup_id;
	int r;

	in_force[SOCKET_SET_LB] = read_links(bpf, lb, 0, SOCKET_SET_SIZE);
	r = read_hiding(bpf, lb, &in_force[SOCKET_SET_HIDE], err);
	if (!bpf_sockets_have_maps(bpf))
		in_force[SOCKET_SET_LB] = in_force[SOCKET_SET_HIDE] = 0;
	return r;
}
