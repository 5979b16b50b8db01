// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_socket.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_log.h"
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
	static const char *const names[] = { "tp_services",  "tp_backends",    "tp_exempt",
					     "tp_socket_lb", "tp_sock_rev",    "tp_sock_udp",
					     "tp_sock_more", "tp_sock_hidden", "tp_sock_own",
					     "tp_foreign" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_CLOSE int fd = bpf_map_open(bpf, names[i]);

		if (fd < 0)
			return false;
	}
	return true;
}

int bpf_socket_program_fd(const struct bpf *bpf, enum socket_program program)
{
	const char *name = socket_program_name(program);
	const struct bpf_object *object =
		program < SOCKET_SET_SIZE ? bpf->sock_lb->obj : bpf->sock_hide->obj;

	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}
