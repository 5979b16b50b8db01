// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_led.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_log.h"
#include "sock_iter.skel.h"

/* A descriptor to read struct tp_led from, or a negative errno. */
static int open_iterator(const struct tp_sock_iter *skeleton, int map)
{
	union bpf_iter_link_info about = { .map.map_fd = (__u32)map };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &about,
		    .link_info_len = sizeof(about));
	struct bpf_link *link = bpf_program__attach_iter(skeleton->progs.tp_led_sockets, &opts);
	int fd, error;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	error = errno;
	bpf_link__destroy(link); /* the iterator lives on */
	return fd < 0 ? -error : fd;
}

static int read_all(int iterator, struct led_sockets *out)
{
	struct tp_led some[64];
	ssize_t n;

	/* the kernel gives whole ones: it was written so */
	while ((n = read(iterator, some, sizeof(some))) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof(*some); i++) {
			struct tp_led *added = array_add(out);

			if (!added)
				return -ENOMEM;
			*added = some[i];
		}
	}
	return n < 0 ? -errno : 0;
}

static int load(struct tp_sock_iter **out)
{
	struct tp_sock_iter *skeleton;
	int r = 0;

	bpf_log_begin();
	skeleton = tp_sock_iter__open_and_load();
	if (!skeleton)
		r = -errno;
	bpf_log_end(); /* what is wrong is that the kernel is too old, or has no BTF */
	*out = skeleton;
	return r;
}

int bpf_read_led(const struct bpf *bpf, struct led_sockets *out, struct err *err)
{
	AUTO_CLOSE int map = bpf_map_open(bpf, "tp_sock_rev");
	struct tp_sock_iter *skeleton = NULL;
	AUTO_CLOSE int iterator = -1;
	int r;

	if (map == -ENOENT)
		return 0; /* no program that would have led a socket anywhere */
	r = map < 0 ? map : load(&skeleton);
	if (!r) {
		iterator = open_iterator(skeleton, map);
		r = iterator < 0 ? iterator : read_all(iterator, out);
	}
	tp_sock_iter__destroy(skeleton);
	return r ? err_sys(err, r, "look at sockets that were led to a backend") : 0;
}

bool bpf_can_read_led(void)
{
	static bool known, can;
	struct tp_sock_iter *skeleton;

	if (!known)
		can = !load(&skeleton);
	if (!known)
		tp_sock_iter__destroy(skeleton);
	known = true;
	return can;
}
