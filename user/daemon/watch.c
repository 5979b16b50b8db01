// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/inotify.h"

/*
 * IN_CREATE is for links, of which no other event comes. IN_MODIFY is left out: a file is read
 * when its writer is done. IN_ATTRIB: somebody let us read it.
 */
#define ENTRY_EVENTS \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB)
#define SELF_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW)

static bool is_watched(const struct watch *watch, int wd)
{
	const struct watch_directory *directory;

	array_for_each(directory, &watch->directories)
		if (directory->wd == wd)
			return true;
	return false;
}

/* One path more for a directory: two paths of one inode have one descriptor. */
static int add_directory(struct watch *watch, const char *path)
{
	int wd = inotify_add_watch(watch->source.fd, path,
				   ENTRY_EVENTS | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	struct watch_directory *directory;

	/* gone since the walk, and then an event has told us so; or it cannot be read */
	if (wd < 0)
		return errno == ENOSPC || errno == ENOMEM ? -errno : 0;
	directory = array_add(&watch->directories);
	if (!directory)
		return -ENOMEM;
	directory->wd = wd;
	directory->path = mem_copy_string(path);
	return directory->path ? 0 : -ENOMEM;
}

static void free_directories(struct watch *watch)
{
	struct watch_directory *directory;

	array_for_each(directory, &watch->directories)
		free(directory->path);
	array_clear(&watch->directories);
}

/* Watches that are needed no more; before the new list is forgotten for the old one. */
static void drop_old(struct watch *watch, const struct watch_directory *old, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!is_watched(watch, old[i].wd))
			/* EINVAL: it went with its directory */
			(void)inotify_rm_watch(watch->source.fd, old[i].wd);
}

/* The path walked anew, and exactly its directories watched. Before the file is read. */
static int follow(struct watch *watch)
{
	struct watch before = { .directories.items = watch->directories.items,
				.directories.count = watch->directories.count,
				.directories.capacity = watch->directories.capacity };
	const struct chain_entry *entry;
	int r;

	memset(&watch->directories, 0, sizeof(watch->directories));
	chain_free(&watch->chain);
	r = chain_walk(watch->path, &watch->chain);
	array_for_each(entry, &watch->chain)
		if (!r)
			r = add_directory(watch, entry->directory);
	drop_old(watch, before.directories.items, before.directories.count);
	free_directories(&before);
	return r;
}

static bool is_entry(const struct watch *watch, int wd, const char *name)
{
	const struct watch_directory *directory;

	array_for_each(directory, &watch->directories)
		if (directory->wd == wd && chain_has(&watch->chain, directory->path, name))
			return true;
	return false;
}

static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	if (event->mask & SELF_EVENTS)
		return is_watched(watch, event->wd);
	return event->len && is_entry(watch, event->wd, event->name);
}

static void take_events(void *data)
{
	char room[sizeof(struct inotify_event) + NAME_MAX + 1]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	struct watch *watch = data;
	bool ours = false;
	ssize_t n;

	while ((n = read(watch->source.fd, room, sizeof(room))) > 0) {
		const char *at = room;

		while (at < room + n) {
			const struct inotify_event *event = (const void *)at;

			ours = concerns(watch, event) || ours;
			at += sizeof(*event) + event->len;
		}
	}
	if (ours)
		settle_event(&watch->settle, 0);
}

static void settled(void *data)
{
	struct watch *watch = data;

	settle_clear(&watch->settle);
	/* -ENOMEM, -ENOSPC: what is watched still tells of more, and SIGHUP remains */
	(void)follow(watch);
	watch->changed(watch->data);
}

int watch_open(struct watch *watch, struct loop *loop, const char *path,
	       void (*changed)(void *data), void *data, struct err *err)
{
	int r = inotify_open(loop, &watch->source, take_events, watch, "watch a file", err);

	if (r)
		return err_wrap(err, r, "watch %s", path);
	watch->path = path;
	watch->changed = changed;
	watch->data = data;
	watch->loop = loop;
	r = settle_open(&watch->settle, loop, settled, watch, err);
	if (r)
		return r;
	r = follow(watch);
	return r ? err_sys(err, r, "watch %s", path) : 0;
}

void watch_close(struct watch *watch)
{
	if (!watch->loop)
		return;
	settle_close(&watch->settle);
	inotify_close(watch->loop, &watch->source);
	free_directories(watch);
	chain_free(&watch->chain);
	watch->loop = NULL;
}
