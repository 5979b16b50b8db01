/* SPDX-License-Identifier: GPL-2.0-only */
/* Says when something in one of a few directories has gone, or come. */
#ifndef TP_DAEMON_DIR_WATCH_H
#define TP_DAEMON_DIR_WATCH_H

#include "base/err.h"
#include "daemon/loop.h"

/* At a place that does not change; zeroed before dir_watch_open. */
struct dir_watch {
	struct loop *loop;
	struct loop_source source;
	void (*changed)(void *data);
	void *data;
};

int dir_watch_open(struct dir_watch *watch, struct loop *loop, void (*changed)(void *data),
		   void *data, struct err *err);
void dir_watch_close(struct dir_watch *watch); /* one that was never opened is fine */

enum dir_watch_what { DIR_WATCH_GONE, DIR_WATCH_NEW };

/* Again whenever the directory may be a new one; the same one twice is fine. 0 or negative errno */
int dir_watch_add(struct dir_watch *watch, const char *directory, enum dir_watch_what what);

#endif
