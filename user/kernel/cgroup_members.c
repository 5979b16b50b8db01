// SPDX-License-Identifier: GPL-2.0-only
/* What is in a cgroup: others, and processes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "kernel/bpf_netns.h"
#include "kernel/cgroup.h"
#include "kernel/netns_walk.h"

/* One that has gone meanwhile is none. */
static int add_below(DIR *dir, const char *name, struct socket_belows *out)
{
	struct socket_below *below;
	struct stat found;

	if (fstatat(dirfd(dir), name, &found, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	below = array_add(out);
	if (!below)
		return -ENOMEM;
	below->cgroup_id = found.st_ino; /* as kernfs has it */
	snprintf(below->name, sizeof(below->name), "%s", name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct socket_below *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool is_one_below(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
	       strcmp(entry->d_name, "..") != 0 &&
	       strncmp(entry->d_name, CGROUP_TRIAL, strlen(CGROUP_TRIAL)) != 0;
}

int cgroup_read_below(const char *path, struct socket_belows *out)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0, more = 0;

	if (!dir)
		return -errno;
	while (!r && (more = file_next(dir, &entry)) > 0)
		if (is_one_below(entry))
			r = add_below(dir, entry->d_name, out);
	closedir(dir);
	if (!r)
		r = more;
	if (!r && out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_names);
	return r;
}

/* Calls visit for each process until it does not give 0. Of another pid namespace, it is 0. */
static int each_process(const char *path, int (*visit)(void *data, unsigned int pid), void *data)
{
	AUTO_FREE char *procs = mem_format("%s/cgroup.procs", path);
	unsigned int pid;
	FILE *file;
	int r = 0;

	if (!procs)
		return -ENOMEM;
	file = fopen(procs, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (!r && fscanf(file, "%u", &pid) == 1)
		if (pid)
			r = visit(data, pid);
	fclose(file);
	return r;
}

static int is_that(void *data, unsigned int pid)
{
	return pid == *(const unsigned int *)data;
}

bool cgroup_holds_us(const char *path)
{
	unsigned int us = (unsigned int)getpid();

	return each_process(path, is_that, &us) > 0;
}

struct search {
	struct netns_walk walk;
	const struct exempt_rows *exempt;
	unsigned int pid; /* that is being looked at */
	struct socket_stray *out;
};

static int look_inside(void *data, const struct netns_id *id, const char *name)
{
	struct exempt_row key = { .cookie = bpf_netns_cookie() };
	struct search *search = data;

	(void)id;
	(void)name;
	if (bsearch(&key, search->exempt->items, search->exempt->count, sizeof(key),
		    exempt_compare))
		search->out->pid = search->pid;
	return 0;
}

/* A thread of the kernel has no program. */
static bool is_kernels(unsigned int pid)
{
	char path[32], program[2];

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	return readlink(path, program, sizeof(program)) < 0;
}

static int look_at(void *data, unsigned int pid)
{
	struct search *search = data;
	char path[32];
	int r;

	if (pid == (unsigned int)getpid() || is_kernels(pid))
		return 0;
	search->pid = pid;
	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	r = netns_walk_path(&search->walk, path, "");
	return r ? r : search->out->pid != 0;
}

/* For people: one that has ended by now has none. */
static void read_name(struct socket_stray *stray)
{
	char path[32];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/comm", stray->pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(stray->name, sizeof(stray->name), file))
		stray->name[strcspn(stray->name, "\n")] = '\0';
	fclose(file);
}

int cgroup_find_stray(const char *path, const struct exempt_rows *exempt, struct socket_stray *out)
{
	struct search search = { .exempt = exempt, .out = out };
	int r;

	*out = (struct socket_stray){ 0 };
	if (!exempt->count)
		return 0;
	search.walk = (struct netns_walk){ .visit = look_inside, .data = &search, .home = -1 };
	r = netns_walk_open(&search.walk);
	if (!r)
		r = each_process(path, look_at, &search);
	netns_walk_close(&search.walk);
	if (out->pid)
		read_name(out);
	return r < 0 ? r : 0;
}
