// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

FAIL_SOMETIMES(int, mkdir, (const char *path, mode_t mode), (path, mode))
FAIL_SOMETIMES(int, rename, (const char *from, const char *to), (from, to))
FAIL_SOMETIMES(int, link, (const char *from, const char *to), (from, to))
FAIL_SOMETIMES(int, unlink, (const char *path), (path))
FAIL_SOMETIMES(int, rmdir, (const char *path), (path))
FAIL_SOMETIMES(int, fsync, (int fd), (fd))
FAIL_SOMETIMES(int, flock, (int fd, int operation), (fd, operation))
FAIL_SOMETIMES(ssize_t, read, (int fd, void *data, size_t length), (fd, data, length))
FAIL_SOMETIMES(int, mount,
	       (const char *source, const char *target, const char *type, unsigned long flags,
		const void *data),
	       (source, target, type, flags, data))

/* Standard output and error are how the program says what failed. */
ssize_t write(int fd, const void *data, size_t length)
{
	return fd > STDERR_FILENO && fault_is_next("write") ? -1 : REAL(write)(fd, data, length);
}

static mode_t mode_of(int flags, va_list list)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return fault_is_next("open") ? -1 : REAL(open)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return fault_is_next("openat") ? -1 : REAL(openat)(directory, path, flags, mode);
}
