// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/pin_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/inotify.h"

#define EVENTS (IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static void take_events(void *data)
{
	char room[sizeof(struct inotify_event) + NAME_MAX + 1]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	struct pin_watch *watch = data;
	bool any = false;

	/* which one it was does not matter: all are looked at */
	while (read(watch->source.fd, room, sizeof(room)) > 0)
		any = true;
	if (any)
		watch->gone(watch->data);
}

int pin_watch_open(struct pin_watch *watch, struct loop *loop, void (*gone)(void *data), void *data,
		   struct err *err)
{
	int r = inotify_open(loop, &watch->source, take_events, watch, "watch the pins", err);

	if (r)
		return r;
	watch->gone = gone;
	watch->data = data;
	watch->loop = loop;
	return 0;
}

void pin_watch_close(struct pin_watch *watch)
{
	if (!watch->loop)
		return;
	inotify_close(watch->loop, &watch->source);
	watch->loop = NULL;
}

int pin_watch_add(struct pin_watch *watch, const char *directory)
{
	return inotify_add_watch(watch->source.fd, directory, EVENTS) < 0 ? -errno : 0;
}
