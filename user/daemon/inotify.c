// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/inotify.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

int inotify_open(struct loop *loop, struct loop_source *source, void (*ready)(void *data),
		 void *data, const char *what, struct err *err)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "%s", what);
	r = loop_add(loop, source, fd, ready, data, err);
	if (r)
		close(fd);
	return r;
}

void inotify_close(struct loop *loop, struct loop_source *source)
{
	loop_remove(loop, source);
	close(source->fd);
}
