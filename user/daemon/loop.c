// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

int loop_open(struct loop *loop, struct err *err)
{
	loop->leaving = false;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? err_sys(err, -errno, "make an event loop") : 0;
}

void loop_close(struct loop *loop)
{
	close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

static int add(struct loop *loop, struct loop_source *source, uint32_t events, struct err *err)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event))
		return 0;
	source->ready = NULL;
	return err_sys(err, -errno, "watch a descriptor");
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, void (*ready)(void *data),
	     void *data, struct err *err)
{
	*source = (struct loop_source){ .fd = fd, .ready = ready, .data = data };
	return add(loop, source, EPOLLIN, err);
}

int loop_add_connecting(struct loop *loop, struct loop_source *source, int fd,
			void (*ready)(void *data), void *data, struct err *err)
{
	*source = (struct loop_source){ .fd = fd, .ready = ready, .data = data };
	return add(loop, source, EPOLLOUT, err);
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (!source->ready)
		return;
	/* cannot fail: it was added, and its fd is still open */
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->ready = NULL;
}

/*
 * One event at a time: with several, a source that another one's call had removed would still be
 * called. The kernel hands out those that are ready by turns, so none starves.
 */
int loop_run(struct loop *loop, struct err *err)
{
	while (!loop->leaving) {
		struct loop_source *source;
		struct epoll_event event;
		int n = epoll_wait(loop->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return err_sys(err, -errno, "wait for events");
		if (n <= 0)
			continue;
		source = event.data.ptr;
		source->ready(source->data);
	}
	return 0;
}

void loop_leave(struct loop *loop)
{
	loop->leaving = true;
}
