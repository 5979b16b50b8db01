// SPDX-License-Identifier: GPL-2.0-only
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FIRST_ROOM 4096

/* Bytes read, 0 at the end of the file, or a negative errno. */
static ssize_t read_some(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Until the end of fd. Its last read gives nothing, so there is room for the NUL. */
static int read_all(int fd, size_t limit, char **text, size_t *length)
{
	AUTO_FREE char *buf = NULL;
	size_t room = 0, used = 0;

	for (;;) {
		ssize_t n;

		if (used == room) {
			char *grown = realloc(buf, room ? room * 2 : FIRST_ROOM);

			if (!grown)
				return -ENOMEM;
			room = room ? room * 2 : FIRST_ROOM;
			buf = grown;
		}
		n = read_some(fd, buf + used, room - used);
		if (n < 0)
			return (int)n;
		if (!n)
			break;
		used += (size_t)n;
		if (used > limit)
			return -EFBIG;
	}

	buf[used] = '\0';
	*text = TAKE(buf);
	*length = used;
	return 0;
}

int file_read(const char *path, size_t limit, char **text, size_t *length, struct err *err)
{
	bool is_stdin = !strcmp(path, "-");
	AUTO_CLOSE int opened = -1;
	int r;

	if (!is_stdin) {
		opened = open(path, O_RDONLY | O_CLOEXEC);
		if (opened < 0)
			return err_sys(err, -errno, "open %s", path);
	}

	r = read_all(is_stdin ? STDIN_FILENO : opened, limit, text, length);
	if (is_stdin)
		path = "standard input";
	if (r == -EFBIG)
		return err_set(err, r, "read %s: it is larger than %zu bytes", path, limit);
	if (r)
		return err_sys(err, r, "read %s", path);
	return 0;
}

bool file_holds(const char *path, const void *data, size_t length)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *rest = data;
	char chunk[4096];
	ssize_t n;

	if (fd < 0)
		return false;
	while ((n = read_some(fd, chunk, sizeof(chunk))) > 0) {
		if ((size_t)n > length || memcmp(chunk, rest, (size_t)n) != 0)
			return false;
		rest += n;
		length -= (size_t)n;
	}
	return !n && !length;
}

static int write_all(int fd, const void *data, size_t length)
{
	const char *next = data;

	while (length) {
		ssize_t n = write(fd, next, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		next += n;
		length -= (size_t)n;
	}
	return 0;
}

/* fsync: without it a crash soon after the rename can leave an empty file under the name */
static int fill(int fd, const void *data, size_t length, mode_t mode)
{
	int r;

	if (fchmod(fd, mode))
		return -errno;
	r = write_all(fd, data, length);
	if (r)
		return r;
	return fsync(fd) ? -errno : 0;
}

/* A name that nobody has yet. Some filesystems have no such rename, others no hard links. */
static int publish_new(const char *temporary, const char *path)
{
	if (!renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (link(temporary, path))
		return -errno;
	(void)unlink(temporary); /* litter, beside a file that is as it should be */
	return 0;
}

/* Gives the finished file its name. */
static int publish(const char *temporary, const char *path, int flags)
{
	if (flags & FILE_NEW)
		return publish_new(temporary, path);
	return rename(temporary, path) ? -errno : 0;
}

/* The name is to outlive a crash too. The path is cut where its last component begins. */
static int sync_directory(char *path)
{
	char *slash = strrchr(path, '/');
	AUTO_CLOSE int fd = -1;

	if (slash)
		slash[slash == path] = '\0'; /* of "/a" the slash stays */
	fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno; /* one may write where one cannot read */
	/* EINVAL: a filesystem without anything to sync */
	return fsync(fd) && errno != EINVAL ? -errno : 0;
}

static int create_beside(char *temporary, int flags)
{
	if (!(flags & FILE_ALONE))
		return mkostemp(temporary, O_CLOEXEC);
	return open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int file_write(const char *path, const void *data, size_t length, mode_t mode, int flags,
	       struct err *err)
{
	AUTO_FREE char *temporary = mem_format(flags & FILE_ALONE ? "%s.new" : "%s.XXXXXX", path);
	AUTO_CLOSE int fd = -1;
	int r;

	if (!temporary)
		return err_sys(err, -ENOMEM, "write %s", path);
	fd = create_beside(temporary, flags);
	if (fd < 0)
		return err_sys(err, -errno, "write %s: create a temporary file beside it", path);

	r = fill(fd, data, length, mode);
	if (!r)
		r = publish(temporary, path, flags);
	/* a name that cannot be removed is litter; it is not what the caller needs to hear of */
	if (r)
		(void)unlink(temporary);
	else
		r = sync_directory(temporary);
	return r ? err_sys(err, r, "write %s", path) : 0;
}

int file_next(DIR *dir, struct dirent **entry)
{
	errno = 0; /* readdir() tells its end from a failure by nothing else */
	*entry = readdir(dir);
	return *entry ? 1 : -errno;
}

/* mkdir takes the umask off the mode; a directory that was there keeps its own. */
static int make_dir(const char *path, mode_t mode)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (mkdir(path, mode)) {
		if (errno != EEXIST)
			return -errno;
		if (stat(path, &st))
			return -errno;
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	}

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, mode))
		return -errno;
	return 0;
}

int file_make_dirs(const char *path, mode_t mode, struct err *err)
{
	AUTO_FREE char *copy = mem_copy_string(path);
	char *end;
	int r;

	if (!copy)
		return err_sys(err, -ENOMEM, "make directory %s", path);

	/* cut behind each component in turn; leading and repeated slashes belong to the next */
	end = copy;
	do {
		char cut;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		cut = *end;
		*end = '\0';
		r = make_dir(copy, mode);
		if (r)
			return err_sys(err, r, "make directory %s", copy);
		*end = cut;
	} while (*end);
	return 0;
}
