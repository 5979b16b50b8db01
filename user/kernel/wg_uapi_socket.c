// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/wg_uapi_socket.h"

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#define SOCKET_DIR      "/var/run/wireguard"
#define TIMEOUT_SECONDS 10
/* Far above 16384 peers with a hundred thousand prefixes. */
#define ANSWER_MAX (64u << 20)

static int put_path(struct sockaddr_un *out, const char *ifname)
{
	int n;

	/* the name becomes part of a path */
	if (!*ifname || strlen(ifname) >= IF_NAMESIZE || strchr(ifname, '/'))
		return -EINVAL;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(out->sun_path, sizeof(out->sun_path), SOCKET_DIR "/%s.sock", ifname);
	return n < (int)sizeof(out->sun_path) ? 0 : -ENAMETOOLONG;
}

int wg_uapi_connect(const char *ifname)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = TIMEOUT_SECONDS };
	struct sockaddr_un address;
	int r = put_path(&address, ifname);

	if (r)
		return r;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;

	return mem_take_fd(&fd);
}

int wg_uapi_remove_stale(const char *ifname, struct err *err)
{
	AUTO_CLOSE int fd = wg_uapi_connect(ifname);
	struct sockaddr_un address;

	if (fd >= 0)
		return err_sys(err, -EADDRINUSE, "a process listens on " SOCKET_DIR "/%s.sock",
			       ifname);
	if (fd == -ENOENT)
		return 0;
	if (fd != -ECONNREFUSED || put_path(&address, ifname))
		return err_sys(err, fd, "connect to " SOCKET_DIR "/%s.sock", ifname);

	if (unlink(address.sun_path) && errno != ENOENT) /* gone meanwhile is as good */
		return err_sys(err, -errno, "remove the stale %s", address.sun_path);
	return 0;
}

static int send_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

struct text {
	char *bytes;
	size_t length;
	size_t size;
};

/* As realloc, but nothing of the old place stays readable: it held keys. */
static int grow(struct text *text)
{
	size_t size = text->size ? 2 * text->size : 4096;
	char *bytes;

	if (size > ANSWER_MAX)
		return -EMSGSIZE;
	bytes = mem_alloc(size, 1);
	if (!bytes)
		return -ENOMEM;

	if (text->bytes) {
		memcpy(bytes, text->bytes, text->length);
		explicit_bzero(text->bytes, text->length);
		free(text->bytes);
	}
	text->bytes = bytes;
	text->size = size;
	return 0;
}

/* An answer ends with a blank line; the connection stays open. */
static bool has_ended(const struct text *text)
{
	return text->length >= 2 && !memcmp(text->bytes + text->length - 2, "\n\n", 2);
}

static int receive_all(int fd, struct text *text)
{
	while (!has_ended(text)) {
		ssize_t n;
		int r = text->length + 1 < text->size ? 0 : grow(text);

		if (r)
			return r;
		n = recv(fd, text->bytes + text->length, text->size - text->length - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		text->length += (size_t)n;
	}
	return 0;
}

static int exchange(int fd, const char *request, struct text *text)
{
	int r = send_all(fd, request);

	if (!r)
		r = receive_all(fd, text);
	if (r) {
		if (text->bytes)
			explicit_bzero(text->bytes, text->length);
		free(text->bytes);
	}
	return r;
}

int wg_uapi_exchange(int *fd, const char *ifname, const char *request, char **answer,
		     size_t *length, struct err *err)
{
	struct text text = { 0 };
	int r;

	if (*fd < 0)
		*fd = wg_uapi_connect(ifname);
	if (*fd < 0)
		return err_sys(err, *fd, "connect to wireguard-go of %s", ifname);

	r = exchange(*fd, request, &text);
	if (r) {
		mem_close_fd(fd);
		*fd = -1;
		return err_sys(err, r, "talk to wireguard-go of %s", ifname);
	}

	*answer = text.bytes;
	*length = text.length;
	return 0;
}
