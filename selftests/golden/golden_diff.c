// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `diff` prints: diff/NAME/{old.json,new.json} in, `text` and `json` out, byte for byte.
 * "@NAME@" stands for a key. UPDATE=1 in the environment writes the expectations anew; the
 * difference is then for a person to judge.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fixture.h"
#include "report/delta.h"
#include "test.h"

#define FILE_SIZE_MAX (1 << 20)

static const char *directory(void)
{
	const char *golden = getenv("GOLDEN_DIR");

	return golden ? golden : "selftests/golden";
}

static char *read_part(const char *name, const char *part)
{
	AUTO_FREE char *path = mem_format("%s/diff/%s/%s", directory(), name, part);
	char *text = NULL;
	size_t length;
	struct err err;

	if (!test_check(!file_read(path, FILE_SIZE_MAX, &text, &length, &err), __FILE__, __LINE__,
			"%s", err.text))
		return NULL;
	return text;
}

static void compare(const char *name, const char *part, const char *got)
{
	AUTO_FREE char *path = mem_format("%s/diff/%s/%s", directory(), name, part);
	AUTO_FREE char *want = NULL;
	struct err err;

	if (getenv("UPDATE")) {
		CHECK(!file_write(path, got, strlen(got), 0644, 0, &err));
		return;
	}
	want = read_part(name, part);
	if (want)
		test_check_text(got, want, __FILE__, __LINE__, part);
}

static int read_policy(struct fixture *f, const char *name, const char *part)
{
	AUTO_FREE char *text = read_part(name, part);
	AUTO_FREE char *lines = NULL;
	int r = text ? fixture_policy(f, text) : -1;

	lines = text ? fixture_lines(&f->problems) : NULL;
	test_check(!r, __FILE__, __LINE__, "%s: %s", part, lines ? lines : "");
	return r;
}

static void check_print(const char *name, const char *part, const struct delta_report *report,
			int (*print)(FILE *, const struct delta_report *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r = print(out, report);

	fclose(out);
	CHECK_INT(r, 0);
	compare(name, part, text);
	free(text);
}

static void check_report(const char *name, const struct policy *before, const struct policy *after)
{
	struct delta delta = { 0 };
	const struct delta_report report = {
		.old_file = "old.json",
		.new_file = "new.json",
		.old_policy = before,
		.new_policy = after,
		.delta = &delta,
	};
	int r = delta_build(before, after, &delta);

	CHECK_INT(r, 0);
	check_print(name, "text", &report, delta_print_text);
	check_print(name, "json", &report, delta_print_json);
	delta_free(&delta);
}

static void prints_as_expected(const void *data)
{
	const char *name = data;
	struct fixture before = { 0 }, after = { 0 };
	int r = read_policy(&before, name, "old.json");

	if (!r)
		r = read_policy(&after, name, "new.json");
	if (!r)
		check_report(name, before.policy, after.policy);
	fixture_free(&before);
	fixture_free(&after);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void finds_cases(void)
{
	test_check(false, __FILE__, __LINE__, "no cases below %s/diff", directory());
}

__attribute__((constructor)) static void register_cases(void)
{
	AUTO_FREE char *path = mem_format("%s/diff", directory());
	struct dirent **entries = NULL;
	int count = path ? scandir(path, &entries, is_case, alphasort) : -1;
	int i;

	if (count <= 0)
		test_register(__FILE__, "finds_cases", finds_cases);
	for (i = 0; i < count; i++) {
		/* the case's for as long as the program runs */
		char *name = strdup(entries[i]->d_name);

		if (name)
			test_register_row(__FILE__, name, prints_as_expected, name);
		free(entries[i]);
	}
	free(entries);
}
