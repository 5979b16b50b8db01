// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define NAMED "/run/netns/"

/* -ENOENT also for a file on which `ip netns add` has not yet mounted what it made. */
static int open_named(const char *name)
{
	char path[PATH_MAX];
	const char *below = name[0] == '/' ? "" : NAMED;
	AUTO_CLOSE int fd = -1;

	if (snprintf(path, sizeof(path), "%s%s", below, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would have us wait */
	if (fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -ENOENT;
	return mem_take_fd(&fd);
}

int netns_open(const char *name, struct netns *out, struct err *err)
{
	AUTO_CLOSE int there = open_named(name);
	int home;

	if (there == -ENOENT)
		return err_set(err, there,
			       "there is no network namespace %s (tunnel.netns): make it%s%s", name,
			       name[0] == '/' ? "" : ": ip netns add ", name[0] == '/' ? "" : name);
	if (there < 0)
		return err_sys(err, there, "open network namespace %s (tunnel.netns)", name);
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return err_sys(err, -errno, "open our network namespace");
	*out = (struct netns){ .home = home, .there = mem_take_fd(&there) };
	return 0;
}

void netns_close(struct netns *netns)
{
	mem_close_fd(&netns->home);
	mem_close_fd(&netns->there);
	*netns = NETNS_HOME;
}

bool netns_is_home(const struct netns *netns)
{
	return netns->there < 0;
}

int netns_enter(const struct netns *netns, struct err *err)
{
	if (!netns_is_home(netns) && setns(netns->there, CLONE_NEWNET))
		return err_sys(err, -errno, "enter the network namespace of tunnel.netns");
	return 0;
}

/* It was ours, so it lets us in; to go on elsewhere would be to change somebody else's network. */
void netns_leave(const struct netns *netns)
{
	if (!netns_is_home(netns) && setns(netns->home, CLONE_NEWNET))
		abort();
}

void netns_identify(const char *name, struct netns_id *out)
{
	AUTO_CLOSE int fd = open_named(name);
	struct stat found;

	*out = (struct netns_id){ 0 };
	if (fd >= 0 && !fstat(fd, &found))
		*out = (struct netns_id){ .device = found.st_dev, .inode = found.st_ino };
}
