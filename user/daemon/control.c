// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/answer.h"

#define BACKLOG       16
#define ASK_TIMEOUT_S 3
#define BREATH_MS     500

static int set_path(struct sockaddr_un *to, const char *path, struct err *err)
{
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(to->sun_path))
		return err_set(err, -ENAMETOOLONG, "%s is too long for a socket", path);
	snprintf(to->sun_path, sizeof(to->sun_path), "%s", path);
	return 0;
}

/* ---- the daemon's end ---- */

/*
 * SEQPACKET keeps the answer whole. It goes into the buffer of a socket that is ours alone and
 * empty, so it fits or the client is hung up on; either way nobody waits.
 */
static void answer(const struct control *control, int client)
{
	AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);

	if (text)
		/* a client that is gone already wants no answer */
		(void)send(client, text, answer_put(text, control->running),
			   MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void accept_one(void *data);

static void listen_again(void *data)
{
	struct control *control = data;
	struct err err;

	if (loop_add(control->loop, &control->source, control->source.fd, accept_one, control,
		     &err))
		loop_timer_arm(&control->breath, BREATH_MS);
}

/* EMFILE and the like: who asks stays in the backlog, which would call for us without end. */
static void accept_one(void *data)
{
	struct control *control = data;
	AUTO_CLOSE int client =
		accept4(control->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client >= 0) {
		answer(control, client);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		loop_remove(control->loop, &control->source);
		loop_timer_arm(&control->breath, BREATH_MS);
	}
}

static int listen_at(int fd, const struct sockaddr_un *at)
{
	mode_t before = umask(0177);
	int r = bind(fd, (const struct sockaddr *)at, sizeof(*at)) ? -errno : 0;

	umask(before);
	if (!r && listen(fd, BACKLOG))
		r = -errno;
	return r;
}

int control_open(struct control *control, struct loop *loop, const char *path,
		 const struct running *running, struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;
	int r = set_path(&at, path, err);

	if (r)
		return r;
	if (fd < 0)
		return err_sys(err, -errno, "make the control socket");
	if (unlink(path) && errno != ENOENT)
		return err_sys(err, -errno, "replace %s", path);
	r = listen_at(fd, &at);
	if (r)
		return err_sys(err, r, "listen at %s", path);
	r = loop_timer_open(&control->breath, loop, false, listen_again, control, err);
	if (r)
		return r;
	r = loop_add(loop, &control->source, fd, accept_one, control, err);
	if (r) {
		loop_timer_close(&control->breath);
		return r;
	}
	control->loop = loop;
	control->running = running;
	snprintf(control->path, sizeof(control->path), "%s", path);
	(void)mem_take_fd(&fd); /* it is source.fd from here on */
	return 0;
}

void control_close(struct control *control)
{
	if (!control->loop)
		return;
	loop_timer_close(&control->breath);
	loop_remove(control->loop, &control->source);
	close(control->source.fd);
	/* ENOENT: somebody was tidier than we */
	(void)unlink(control->path);
	control->loop = NULL;
}

/* ---- the other end ---- */

static int connect_to(int fd, const char *path, struct err *err)
{
	const struct timeval timeout = { .tv_sec = ASK_TIMEOUT_S };
	struct sockaddr_un to;
	int r = set_path(&to, path, err);

	if (r)
		return r;
	/* connect waits for room in the backlog as long as a send would */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		return err_sys(err, -errno, "set up a socket");
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return 0;
	r = errno == ECONNREFUSED ? -ENOENT : -errno; /* a socket that its daemon left behind */
	return err_sys(err, r, "connect to %s", path);
}

int control_ask(const char *path, struct running *out, struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);
	ssize_t n;
	int r;

	if (fd < 0 || !text)
		return err_sys(err, fd < 0 ? -errno : -ENOMEM, "make a socket");
	r = connect_to(fd, path, err);
	if (r)
		return r;
	do
		n = recv(fd, text, ANSWER_SIZE, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, -errno, "the daemon does not answer: %s", strerror(errno));
	r = answer_read(text, (size_t)n, out);
	return r ? err_sys(err, r, "the daemon's answer") : 0;
}
