// SPDX-License-Identifier: GPL-2.0-only
#include "golden.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "test.h"

#define FILE_SIZE_MAX (32 << 20)

__attribute__((format(printf, 1, 0))) static char *path_of(const char *format, va_list args)
{
	const char *directory = getenv("GOLDEN_DIR");
	AUTO_FREE char *name = NULL;

	if (vasprintf(&name, format, args) < 0) {
		name = NULL; /* vasprintf leaves it undefined */
		return NULL;
	}
	return mem_format("%s/%s", directory ? directory : "selftests/golden", name);
}

static char *read_path(const char *path, size_t *length)
{
	char *text = NULL;
	struct err err;

	if (!test_check(!file_read(path, FILE_SIZE_MAX, &text, length, &err), __FILE__, __LINE__,
			"%s", err.text))
		return NULL;
	return text;
}

char *golden_read(size_t *length, const char *format, ...)
{
	AUTO_FREE char *path = NULL;
	size_t ignored;
	va_list args;

	va_start(args, format);
	path = path_of(format, args);
	va_end(args);
	return CHECK(path) ? read_path(path, length ? length : &ignored) : NULL;
}

static void compare(const char *path, const char *got)
{
	AUTO_FREE char *want = NULL;
	size_t length;
	struct err err;

	if (getenv("UPDATE")) {
		CHECK_INT(file_write(path, got, strlen(got), 0644, 0, &err), 0);
		return;
	}
	want = read_path(path, &length);
	if (want)
		test_check_text(got, want, __FILE__, __LINE__, path);
}

void golden_compare(const char *got, const char *format, ...)
{
	AUTO_FREE char *path = NULL;
	va_list args;

	va_start(args, format);
	path = path_of(format, args);
	va_end(args);
	if (CHECK(path && got))
		compare(path, got);
}

static void finds_cases(const void *data)
{
	const char *folder = data;

	test_check(false, __FILE__, __LINE__, "no cases in the folder %s", folder);
}

/* The case's for as long as the program runs; NULL: it is none. */
static char *case_name(const char *entry, const char *suffix)
{
	size_t length = strlen(entry), behind = strlen(suffix);

	if (entry[0] == '.' || length <= behind || strcmp(entry + length - behind, suffix))
		return NULL;
	return strndup(entry, length - behind);
}

__attribute__((format(printf, 2, 3))) static int list(struct dirent ***entries, const char *format,
						      ...)
{
	AUTO_FREE char *path = NULL;
	va_list args;

	va_start(args, format);
	path = path_of(format, args);
	va_end(args);
	return path ? scandir(path, entries, NULL, alphasort) : -1;
}

void golden_register(const char *source, const char *folder, const char *suffix,
		     void (*run)(const void *name))
{
	struct dirent **entries = NULL;
	int i, count = list(&entries, "%s", folder);
	bool found = false;

	for (i = 0; i < count; i++) {
		char *name = case_name(entries[i]->d_name, suffix);

		if (name)
			test_register_row(source, name, run, name);
		found |= !!name;
		free(entries[i]);
	}
	free(entries);
	if (!found)
		test_register_row(source, "finds_cases", finds_cases, folder);
}
