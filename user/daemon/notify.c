// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_SIZE (NOTIFY_STATUS_SIZE + 128)

static int connect_to(const char *name, struct err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int fd, r;

	if ((name[0] != '/' && name[0] != '@') || length >= sizeof(to.sun_path))
		return err_set(err, -EINVAL, "NOTIFY_SOCKET is no path of a socket");
	memcpy(to.sun_path, name, length);
	if (name[0] == '@') /* abstract: a NUL, and no NUL at its end */
		to.sun_path[0] = '\0';

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, -errno, "make a socket for NOTIFY_SOCKET");
	if (!connect(fd, (struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		return fd;
	r = -errno;
	close(fd);
	return err_sys(err, r, "connect to NOTIFY_SOCKET");
}

int notify_open(struct notify *notify, struct err *err)
{
	const char *name = getenv("NOTIFY_SOCKET");

	notify->fd = -1;
	if (!name)
		return 0;
	notify->fd = connect_to(name, err);
	unsetenv("NOTIFY_SOCKET");
	return notify->fd < 0 ? notify->fd : 0;
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

/* False when it did not get through, as when the one who asked has too much to read yet. */
static bool say(const struct notify *notify, const char *message)
{
	return notify->fd < 0 || send(notify->fd, message, strlen(message), MSG_NOSIGNAL) >= 0;
}

/*
 * state: assignments that go before, each with its line break. One in the status would begin
 * another assignment.
 */
static bool say_state(const struct notify *notify, const char *state, const char *status)
{
	char message[MESSAGE_SIZE];
	int head = snprintf(message, sizeof(message), "%sSTATUS=", state);
	char *c = message + head;

	snprintf(c, sizeof(message) - (size_t)head, "%s", status);
	for (; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	return say(notify, message);
}

void notify_ready(struct notify *notify, const char *status)
{
	notify->ready = true;
	snprintf(notify->status, sizeof(notify->status), "%s", status);
	notify->owed = !say_state(notify, "READY=1\n", status);
}

void notify_status(struct notify *notify, const char *status)
{
	if (strcmp(notify->status, status) != 0 && say_state(notify, "", status))
		snprintf(notify->status, sizeof(notify->status), "%s", status);
}

/* Without the time, systemd would take a start that lasts for one that hangs. A year of it. */
void notify_waiting(struct notify *notify, const char *status)
{
	if (strcmp(notify->status, status) != 0 &&
	    say_state(notify, "EXTEND_TIMEOUT_USEC=31536000000000\n", status))
		snprintf(notify->status, sizeof(notify->status), "%s", status);
}

void notify_stopping(const struct notify *notify, const char *status)
{
	(void)say_state(notify, "STOPPING=1\n", status); /* there is no later */
}

/* The time tells systemd that this reload began after its request (Type=notify-reload). */
void notify_reloading(const struct notify *notify)
{
	char message[64];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	(void)say(notify, message); /* READY=1, which comes next, says the end of it too */
}
