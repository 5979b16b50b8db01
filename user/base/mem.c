// SPDX-License-Identifier: GPL-2.0-only
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_free_ptr(void *ptr_to_ptr)
{
	free(*(void **)ptr_to_ptr);
}

void mem_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int mem_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

void *mem_alloc(size_t count, size_t size)
{
	/* calloc(0) may give NULL, which callers read as "out of memory" */
	return calloc(count ? count : 1, size ? size : 1);
}

char *mem_copy_string(const char *text)
{
	return strdup(text);
}

char *mem_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	return r < 0 ? NULL : text;
}
