// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

FAIL_SOMETIMES(int, pipe2, (int fds[2], int flags), (fds, flags))
FAIL_SOMETIMES(pid_t, fork, (void), ())

int setns(int fd, int type)
{
	const char *path = getenv("FAULT_NETNS");
	struct stat closed, asked;

	if (path && !stat(path, &closed) && !fstat(fd, &asked) && closed.st_ino == asked.st_ino &&
	    closed.st_dev == asked.st_dev) {
		errno = EPERM;
		return -1;
	}
	return fault_is_next("setns") ? -1 : REAL(setns)(fd, type);
}
