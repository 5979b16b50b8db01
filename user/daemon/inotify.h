/* SPDX-License-Identifier: GPL-2.0-only */
/* An inotify descriptor in an event loop. */
#ifndef TP_DAEMON_INOTIFY_H
#define TP_DAEMON_INOTIFY_H

#include "daemon/loop.h"

/* what: "watch the pins", for the error. source->fd is the source's until inotify_close. */
int inotify_open(struct loop *loop, struct loop_source *source, void (*ready)(void *data),
		 void *data, const char *what, struct err *err);
void inotify_close(struct loop *loop, struct loop_source *source);

#endif
