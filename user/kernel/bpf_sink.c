// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_sink.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_log.h"
#include "sk_lookup.skel.h"

/* ---- the sockets ---- */

static int drop_all(int fd)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const struct sock_fprog filter = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

/* It has to have a port, and so has one of the loopback's, which no mapping can want. */
static int bind_any(int fd, int family)
{
	const struct sockaddr_in any_port = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct sockaddr_in6 any_port6 = {
		.sin6_family = AF_INET6,
		.sin6_addr.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
	};
	const int off = 0;

	if (family == AF_INET)
		return bind(fd, (const struct sockaddr *)&any_port, sizeof(any_port));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)))
		return -1;
	return bind(fd, (const struct sockaddr *)&any_port6, sizeof(any_port6));
}

static int make_socket_of(int family, int type)
{
	const int on = 1;
	int fd = socket(family, type | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) && !drop_all(fd) &&
	    !bind_any(fd, family) && (type != SOCK_STREAM || !listen(fd, 1)))
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* Of both families, for an IPv6 socket takes IPv4 too; a kernel may be without IPv6. */
static int make_socket(int type)
{
	int fd = make_socket_of(AF_INET6, type);

	return fd == -EAFNOSUPPORT ? make_socket_of(AF_INET, type) : fd;
}

/* ---- the program ---- */

static int take_map(const struct bpf *bpf, struct bpf_map *map)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, bpf_map__name(map));

	return fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
}

static int load(struct tp_sk_lookup *skeleton, const struct bpf *bpf)
{
	int r = take_map(bpf, skeleton->maps.tp_flows);

	if (!r)
		r = take_map(bpf, skeleton->maps.tp_flow_state);
	return r ? r : tp_sk_lookup__load(skeleton);
}

/* They are out of the map when they are closed. */
static int put_sockets(struct bpf_sink *sink)
{
	static const int types[TP_SINKS] = {
		[TP_SINK_TCP] = SOCK_STREAM, [TP_SINK_UDP] = SOCK_DGRAM
	};
	const int map = bpf_map__fd(sink->skeleton->maps.tp_sinks);
	uint32_t i;

	for (i = 0; i < TP_SINKS; i++) {
		uint64_t value;

		sink->sockets[i] = make_socket(types[i]);
		if (sink->sockets[i] < 0)
			return sink->sockets[i];
		value = (uint64_t)sink->sockets[i];
		if (bpf_map_update_elem(map, &i, &value, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int attach(struct tp_sk_lookup *skeleton)
{
	AUTO_CLOSE int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (netns < 0)
		return -errno;
	skeleton->links.tp_sink_lookup =
		bpf_program__attach_netns(skeleton->progs.tp_sink_lookup, netns);
	return skeleton->links.tp_sink_lookup ? 0 : -errno;
}

/* ---- keeping it ---- */

/* 0: nobody can tell. */
static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) ? 0 : info.id;
}

/* A link that somebody has detached is of no namespace. */
static bool is_attached(const struct bpf_sink *sink)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);

	return sink->skeleton &&
	       !bpf_obj_get_info_by_fd(bpf_link__fd(sink->skeleton->links.tp_sink_lookup), &info,
				       &length) &&
	       info.netns.netns_ino;
}

static int make(struct bpf_sink *sink, const struct bpf *bpf, uint32_t flows)
{
	int r;

	sink->skeleton = tp_sk_lookup__open();
	if (!sink->skeleton)
		return -errno;
	for (int i = 0; i < TP_SINKS; i++)
		sink->sockets[i] = -1;
	sink->flows = flows;
	r = load(sink->skeleton, bpf);
	if (!r)
		r = put_sockets(sink);
	return r ? r : attach(sink->skeleton);
}

int bpf_sink_keep(struct bpf_sink *sink, const struct bpf *bpf, struct err *err)
{
	AUTO_CLOSE int map = bpf_map_open(bpf, "tp_flows");
	uint32_t flows;
	int r;

	if (map < 0)
		return err_sys(err, map, "open the flow table");
	flows = map_id(map);
	if (is_attached(sink) && sink->flows == flows)
		return 0;
	bpf_sink_drop(sink);
	bpf_log_begin();
	r = make(sink, bpf, flows);
	bpf_log_end(); /* what is wrong is that the kernel is too old */
	if (!r)
		return 0;
	bpf_sink_drop(sink);
	return err_sys(err, r, "catch answers that no program has taken");
}

void bpf_sink_drop(struct bpf_sink *sink)
{
	if (!sink->skeleton)
		return;
	tp_sk_lookup__destroy(sink->skeleton);
	sink->skeleton = NULL;
	for (int i = 0; i < TP_SINKS; i++)
		if (sink->sockets[i] >= 0)
			close(sink->sockets[i]);
}
