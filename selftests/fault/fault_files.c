// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- opening ---- */

static mode_t mode_of(int flags, va_list list)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

#define FAIL_OPEN(name)                                                           \
	int name(const char *path, int flags, ...)                                \
	{                                                                         \
		va_list list;                                                     \
		mode_t mode;                                                      \
                                                                                  \
		va_start(list, flags);                                            \
		mode = mode_of(flags, list);                                      \
		va_end(list);                                                     \
		return fault_is_next(#name) ? -1 : REAL(name)(path, flags, mode); \
	}

FAIL_OPEN(open)
FAIL_OPEN(open64)

/* open() where the compiler does not know the flags, but that they ask for no mode. */
int __open_2(const char *path, int flags);
FAIL_SOMETIMES(int, __open_2, (const char *path, int flags), (path, flags))

int openat(int directory, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return fault_is_next("openat") ? -1 : REAL(openat)(directory, path, flags, mode);
}

FAIL_SOMETIMES(int, mkostemp, (char *path, int flags), (path, flags))
FAIL_WITH(NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
FAIL_WITH(NULL, FILE *, fopen64, (const char *path, const char *mode), (path, mode))
FAIL_WITH(NULL, FILE *, setmntent, (const char *path, const char *mode), (path, mode))

/* ---- folders ---- */

FAIL_WITH(NULL, DIR *, opendir, (const char *path), (path))
FAIL_WITH(NULL, struct dirent *, readdir, (DIR * dir), (dir))
FAIL_SOMETIMES(int, mkdir, (const char *path, mode_t mode), (path, mode))
FAIL_SOMETIMES(int, rmdir, (const char *path), (path))
FAIL_SOMETIMES(int, chdir, (const char *path), (path))
FAIL_WITH(NULL, char *, getcwd, (char *path, size_t size), (path, size))
FAIL_SOMETIMES(int, mount,
	       (const char *source, const char *target, const char *type, unsigned long flags,
		const void *data),
	       (source, target, type, flags, data))

/* ---- names ---- */

FAIL_SOMETIMES(int, rename, (const char *from, const char *to), (from, to))
FAIL_SOMETIMES(int, renameat2,
	       (int from_dir, const char *from, int to_dir, const char *to, unsigned int flags),
	       (from_dir, from, to_dir, to, flags))
FAIL_SOMETIMES(int, link, (const char *from, const char *to), (from, to))
FAIL_SOMETIMES(int, symlink, (const char *target, const char *path), (target, path))
FAIL_SOMETIMES(int, unlink, (const char *path), (path))
FAIL_SOMETIMES(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))

/* ---- what is said of a file ---- */

FAIL_SOMETIMES(int, access, (const char *path, int mode), (path, mode))
FAIL_SOMETIMES(int, faccessat, (int dir, const char *path, int mode, int flags),
	       (dir, path, mode, flags))
FAIL_SOMETIMES(int, stat, (const char *path, struct stat *out), (path, out))
FAIL_SOMETIMES(int, fstat, (int fd, struct stat *out), (fd, out))
FAIL_SOMETIMES(int, fstatat, (int dir, const char *path, struct stat *out, int flags),
	       (dir, path, out, flags))
FAIL_SOMETIMES(int, statfs, (const char *path, struct statfs *out), (path, out))
FAIL_SOMETIMES(int, statfs64, (const char *path, struct statfs64 *out), (path, out))
FAIL_SOMETIMES(ssize_t, readlink, (const char *path, char *out, size_t size), (path, out, size))
FAIL_SOMETIMES(int, fchmod, (int fd, mode_t mode), (fd, mode))

/* ---- what is in it ---- */

FAIL_SOMETIMES(int, flock, (int fd, int operation), (fd, operation))
FAIL_SOMETIMES(int, ftruncate, (int fd, off_t length), (fd, length))
FAIL_SOMETIMES(int, fsync, (int fd), (fd))
FAIL_SOMETIMES(ssize_t, read, (int fd, void *data, size_t length), (fd, data, length))
FAIL_SOMETIMES(ssize_t, pread, (int fd, void *data, size_t length, off_t at),
	       (fd, data, length, at))
FAIL_SOMETIMES(ssize_t, pwrite, (int fd, const void *data, size_t length, off_t at),
	       (fd, data, length, at))

/* Of no file it is memory. */
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
	return fd >= 0 && fault_is_next("mmap")
		       ? MAP_FAILED
		       : REAL(mmap)(at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset)
{
	return fd >= 0 && fault_is_next("mmap64")
		       ? MAP_FAILED
		       : REAL(mmap64)(at, length, protection, flags, fd, offset);
}

/* Standard output and error are how the program says what failed. */
ssize_t write(int fd, const void *data, size_t length)
{
	return fd > STDERR_FILENO && fault_is_next("write") ? -1 : REAL(write)(fd, data, length);
}
