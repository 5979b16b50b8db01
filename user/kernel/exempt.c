// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/exempt.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_netns.h"
#include "kernel/netns.h"

#define NAMED "/run/netns"

/* One search: what has been looked at, and with which result. */
struct search {
	const struct exempt_rule *rules;
	size_t count;
	struct netns_id *ids; /* one a rule that names a namespace; else zero */
	ARRAY_OF(struct netns_id) seen;
	struct exempt_rows *out;
	int home;
};

static bool is_same(const struct netns_id *a, const struct netns_id *b)
{
	return a->inode && a->inode == b->inode && a->device == b->device;
}

static bool has_device(const char *glob)
{
	struct if_nameindex *devices = if_nameindex(), *device;
	bool found = false;

	for (device = devices; !found && device && device->if_index; device++)
		found = !fnmatch(glob, device->if_name, 0);
	if_freenameindex(devices);
	return found;
}

/* From inside the namespace. NULL: no rule is about it. */
static const struct exempt_rule *find_rule(const struct search *search, const struct netns_id *id)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct exempt_rule *rule = &search->rules[i];

		if (rule->why == TP_EXEMPT_INTERFACE ? has_device(rule->what)
						     : is_same(&search->ids[i], id))
			return rule;
	}
	return NULL;
}

/* Cut to what fits: it is for people. */
static void put_text(char out[TP_NAME_SIZE], const char *text)
{
	size_t length = strnlen(text, TP_NAME_SIZE - 1);

	memcpy(out, text, length);
}

static int add_row(struct search *search, const struct exempt_rule *rule, const char *name)
{
	struct exempt_row *row = array_add(search->out);

	if (!row)
		return -ENOMEM;
	row->cookie = bpf_netns_cookie();
	row->exempt.why = rule->why;
	put_text(row->exempt.what, rule->what);
	put_text(row->exempt.netns, name);
	return 0;
}

static int look_inside(struct search *search, int fd, const struct netns_id *id, const char *name)
{
	const struct exempt_rule *rule;
	int r = 0;

	if (setns(fd, CLONE_NEWNET))
		return errno == EINVAL ? 0 : -errno; /* it is no network namespace */
	rule = find_rule(search, id);
	if (rule)
		r = add_row(search, rule, name);
	/* it was ours; to go on elsewhere would be to change somebody else's network */
	if (setns(search->home, CLONE_NEWNET))
		abort();
	return r;
}

/* 0 also for one that has gone meanwhile, or was looked at before. */
static int look_at(struct search *search, const char *path, const char *name)
{
	AUTO_CLOSE int fd = -1;
	struct netns_id id, *seen;
	struct stat found;

	if (stat(path, &found))
		return 0;
	id = (struct netns_id){ .device = found.st_dev, .inode = found.st_ino };
	array_for_each(seen, &search->seen)
		if (is_same(seen, &id))
			return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would have us wait */
	if (fd < 0)
		return 0;
	seen = array_add(&search->seen);
	if (!seen)
		return -ENOMEM;
	*seen = id;
	return look_inside(search, fd, &id, name);
}

static int look_at_named(struct search *search)
{
	DIR *dir = opendir(NAMED);
	struct dirent *entry;
	int r = 0;

	while (!r && dir && (entry = readdir(dir))) {
		char path[sizeof(NAMED) + 1 + NAME_MAX + 1];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NAMED "/%s", entry->d_name);
		r = look_at(search, path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return r;
}

static int look_at_processes(struct search *search)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	while (!r && dir && (entry = readdir(dir))) {
		char path[NAME_MAX + 16];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		r = look_at(search, path, "");
	}
	if (dir)
		closedir(dir);
	return r;
}

static const char *put_path(char out[PATH_MAX], const struct exempt_rule *rule)
{
	if (rule->why == TP_EXEMPT_PID)
		snprintf(out, PATH_MAX, "/proc/%s/ns/net", rule->what);
	else
		snprintf(out, PATH_MAX, "%s%s", rule->what[0] == '/' ? "" : NAMED "/", rule->what);
	return out;
}

/* Those that are named, first; those that a device decides have to be searched for. */
static int search_all(struct search *search)
{
	bool by_device = false;
	size_t i;
	int r = 0;

	for (i = 0; i < search->count; i++) {
		char path[PATH_MAX];

		if (search->rules[i].why == TP_EXEMPT_INTERFACE)
			by_device = true;
		else
			netns_identify(put_path(path, &search->rules[i]), &search->ids[i]);
	}
	for (i = 0; !r && i < search->count; i++) {
		const struct exempt_rule *rule = &search->rules[i];
		char path[PATH_MAX];

		if (search->ids[i].inode)
			r = look_at(search, put_path(path, rule),
				    rule->why == TP_EXEMPT_PID ? "" : rule->what);
	}
	if (!r && by_device)
		r = look_at_named(search);
	return r || !by_device ? r : look_at_processes(search);
}

int exempt_find(const struct exempt_rule *rules, size_t count, struct exempt_rows *out,
		struct err *err)
{
	AUTO_CLOSE int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	AUTO_FREE struct netns_id *ids = mem_alloc(count, sizeof(*ids));
	struct search search = {
		.rules = rules, .count = count, .ids = ids, .out = out, .home = home
	};
	int r = !ids ? -ENOMEM : home < 0 ? -errno : search_all(&search);

	array_clear(&search.seen);
	if (r)
		return err_sys(err, r, "look for network namespaces to exempt");
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), exempt_compare);
	return 0;
}
