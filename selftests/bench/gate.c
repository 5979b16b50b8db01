// SPDX-License-Identifier: GPL-2.0-only
#include "gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench.skel.h"
#include "configs.h"
#include "net.h"
#include "router.h"

#define CONNECTIONS 4
#define TURNS       16
#define TURN_SIZE   (32 * 1024)
#define TIMEOUT_S   5

/* ---- the source's tun and the router's, joined as by a tunnel ----------------------------- */

struct tunnel {
	int ends[2];
	int stop;
	pthread_t thread;
};

static void move_packets(int from, int to)
{
	char packet[2048];
	ssize_t n;

	while ((n = read(from, packet, sizeof(packet))) > 0)
		if (write(to, packet, (size_t)n) != n)
			return; /* TCP sends it again */
}

static void *join_ends(void *data)
{
	const struct tunnel *tunnel = data;
	struct pollfd fds[] = { { tunnel->ends[0], POLLIN, 0 },
				{ tunnel->ends[1], POLLIN, 0 },
				{ tunnel->stop, POLLIN, 0 } };

	while (poll(fds, ARRAY_SIZE(fds), -1) > 0 && !fds[2].revents) {
		move_packets(tunnel->ends[0], tunnel->ends[1]);
		move_packets(tunnel->ends[1], tunnel->ends[0]);
	}
	return NULL;
}

static int tunnel_start(struct tunnel *tunnel, const struct lane *lane, struct err *err)
{
	int r;

	*tunnel = (struct tunnel){ { lane->relay, lane->tun }, -1, 0 };
	tunnel->stop = eventfd(0, EFD_CLOEXEC);
	if (tunnel->stop < 0)
		return err_sys(err, -errno, "make an eventfd");
	r = pthread_create(&tunnel->thread, NULL, join_ends, tunnel);
	return r ? err_sys(err, -r, "start a thread") : 0;
}

static void tunnel_stop(struct tunnel *tunnel)
{
	eventfd_write(tunnel->stop, 1);
	pthread_join(tunnel->thread, NULL);
	close(tunnel->stop);
}

/* ---- TCP ---------------------------------------------------------------------------------- */

static int make_socket(int netns, struct err *err)
{
	struct timeval limit = { .tv_sec = TIMEOUT_S };
	AUTO_CLOSE int fd = -1;
	int on = 1;

	net_enter(netns);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return err_sys(err, -errno, "make a socket");
	return mem_take_fd(&fd);
}

static int send_turn(int from, int to, struct err *err)
{
	static char sent[TURN_SIZE], got[TURN_SIZE];
	ssize_t n;
	size_t i;

	for (i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 7 + (size_t)from);
	if (send(from, sent, sizeof(sent), MSG_NOSIGNAL) != sizeof(sent))
		return err_sys(err, -errno, "send by TCP");
	n = recv(to, got, sizeof(got), MSG_WAITALL);
	if (n != sizeof(got))
		return err_sys(err, n < 0 ? -errno : -EPIPE, "receive by TCP");
	if (memcmp(sent, got, sizeof(got)) != 0)
		return err_set(err, -EBADMSG, "TCP delivered other bytes than were sent");
	return 0;
}

static int check_peer(const struct lane *lane, const struct sockaddr_in *from, struct err *err)
{
	char text[INET_ADDRSTRLEN];

	if (lane->config->kind != CONFIG_NAT || from->sin_addr.s_addr == inet_addr(LANE_ROUTER_OUT))
		return 0;
	inet_ntop(AF_INET, &from->sin_addr, text, sizeof(text));
	return err_set(err, -EBADMSG, "the sink sees the source as %s", text);
}

static int talk(const struct lane *lane, int listener, const struct sockaddr_in *address,
		struct err *err)
{
	AUTO_CLOSE int client = make_socket(lane->netns[LANE_SOURCE], err);
	struct sockaddr_in from = { .sin_family = AF_INET };
	socklen_t length = sizeof(from);
	AUTO_CLOSE int server = -1;
	int i, r;

	if (client < 0)
		return client;
	if (connect(client, (const struct sockaddr *)address, sizeof(*address)))
		return err_sys(err, errno == EINPROGRESS ? -ETIMEDOUT : -errno,
			       "connect through the router");
	server = accept(listener, (struct sockaddr *)&from, &length);
	if (server < 0)
		return err_sys(err, -errno, "accept");
	r = check_peer(lane, &from, err);
	for (i = 0; !r && i < TURNS; i++) {
		r = send_turn(client, server, err);
		if (!r)
			r = send_turn(server, client, err);
	}
	return r;
}

static int check_tcp(const struct lane *lane, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(BENCH_PORT) };
	AUTO_CLOSE int listener = make_socket(lane->netns[LANE_SINK], err);
	int i, r = 0;

	if (listener < 0)
		return listener;
	address.sin_addr.s_addr = htonl(ntohl(inet_addr(LANE_ROUTER_OUT)) - 1 + BENCH_SERVER_FIRST);
	if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, CONNECTIONS))
		return err_sys(err, -errno, "listen");
	for (i = 0; !r && i < CONNECTIONS; i++)
		r = talk(lane, listener, &address, err);
	return r;
}

static bool is_towpath(const struct lane *lane)
{
	return !strcmp(lane->config->name, "towpath");
}

int gate_check_refusals(const struct lane *lane, struct err *err)
{
	uint64_t refused = lane->refused;
	int r = is_towpath(lane) ? router_refusals(lane, &refused, err) : 0;

	if (r || refused == lane->refused)
		return r;
	return err_set(err, -EPERM, "%llu packets were refused",
		       (unsigned long long)(refused - lane->refused));
}

int gate_check(struct lane *lane, struct err *err)
{
	struct tunnel tunnel;
	int r = 0;

	if (lane->config->kind == CONFIG_FLOOR)
		return 0;
	lane->bpf->bss->bench_drop = false;
	if (is_towpath(lane))
		r = router_refusals(lane, &lane->refused, err);
	if (!r && lane->from_tun)
		r = tunnel_start(&tunnel, lane, err);
	if (r)
		return r;
	r = check_tcp(lane, err);
	if (lane->from_tun)
		tunnel_stop(&tunnel);
	return r ? r : gate_check_refusals(lane, err);
}
