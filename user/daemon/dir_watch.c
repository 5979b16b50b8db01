// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/dir_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/inotify.h"

#define GONE (IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)
#define NEW  IN_CREATE

static void take_events(void *data)
{
	char room[sizeof(struct inotify_event) + NAME_MAX + 1]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	struct dir_watch *watch = data;
	bool any = false;

	/* which one it was does not matter: all are looked at */
	while (read(watch->source.fd, room, sizeof(room)) > 0)
		any = true;
	if (any)
		watch->changed(watch->data);
}

int dir_watch_open(struct dir_watch *watch, struct loop *loop, void (*changed)(void *data),
		   void *data, struct err *err)
{
	int r = inotify_open(loop, &watch->source, take_events, watch, "watch directories", err);

	if (r)
		return r;
	watch->changed = changed;
	watch->data = data;
	watch->loop = loop;
	return 0;
}

void dir_watch_close(struct dir_watch *watch)
{
	if (!watch->loop)
		return;
	inotify_close(watch->loop, &watch->source);
	watch->loop = NULL;
}

int dir_watch_add(struct dir_watch *watch, const char *directory, enum dir_watch_what what)
{
	uint32_t events = IN_ONLYDIR | (what == DIR_WATCH_NEW ? NEW : GONE);

	return inotify_add_watch(watch->source.fd, directory, events) < 0 ? -errno : 0;
}
