// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define ROOT       "/proc/sys/"
#define VALUE_SIZE 32

static bool is_component_valid(const char *start, size_t length)
{
	return length && !(length == 1 && start[0] == '.') &&
	       !(length == 2 && start[0] == '.' && start[1] == '.');
}

bool sysctl_path_is_valid(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");

		if (!is_component_valid(path, length))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

int sysctl_read_value(const char *text, size_t length, int32_t *out)
{
	bool negative = length && *text == '-';
	uint64_t limit = negative ? -(int64_t)INT32_MIN : INT32_MAX;
	uint64_t number;

	if (length && text[length - 1] == '\n')
		length--;
	if (negative) {
		text++;
		length--;
	}
	if (num_read_n(text, length, 0, limit, &number))
		return -EBADMSG;

	*out = (int32_t)(negative ? -(int64_t)number : (int64_t)number);
	return 0;
}

static int sysctl_open(const char *path, int flags)
{
	char full[PATH_MAX];
	int fd;

	if (!sysctl_path_is_valid(path))
		return -EINVAL;
	if (snprintf(full, sizeof(full), ROOT "%s", path) >= (int)sizeof(full))
		return -ENAMETOOLONG;

	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, int32_t *out, struct err *err)
{
	AUTO_CLOSE int fd = sysctl_open(path, O_RDONLY);
	char text[VALUE_SIZE];
	ssize_t length;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "read sysctl %s", path);

	length = read(fd, text, sizeof(text));
	if (length < 0)
		return err_sys(err, -errno, "read sysctl %s", path);

	r = sysctl_read_value(text, (size_t)length, out);
	return r ? err_sys(err, r, "sysctl %s is not one number", path) : 0;
}

int sysctl_write(const char *path, int32_t value, struct err *err)
{
	AUTO_CLOSE int fd = sysctl_open(path, O_WRONLY);
	char text[VALUE_SIZE];
	int length;

	if (fd < 0)
		return err_sys(err, fd, "set sysctl %s to %d", path, value);

	length = snprintf(text, sizeof(text), "%d\n", value);
	if (write(fd, text, (size_t)length) != length)
		return err_sys(err, -errno, "set sysctl %s to %d", path, value);
	return 0;
}
