/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Says when a file may have changed: written in place, renamed over, or reached by another
 * symbolic link, as Kubernetes swaps a ConfigMap. Directories are watched, not the file: an
 * editor's new file is another inode.
 */
#ifndef TP_DAEMON_WATCH_H
#define TP_DAEMON_WATCH_H

#include "base/err.h"
#include "daemon/chain.h"
#include "daemon/loop.h"
#include "daemon/settle.h"

struct watch_directory {
	int wd;
	char *path;
};

/* At a place that does not change; zeroed before watch_open. */
struct watch {
	struct loop *loop;
	struct loop_source source;
	struct settle settle;
	const char *path; /* the caller's */
	struct chain chain;
	ARRAY_OF(struct watch_directory) directories;
	void (*changed)(void *data);
	void *data;
};

/* path is absolute. changed comes when events have settled: several writes are one change. */
int watch_open(struct watch *watch, struct loop *loop, const char *path,
	       void (*changed)(void *data), void *data, struct err *err);
void watch_close(struct watch *watch);

#endif
