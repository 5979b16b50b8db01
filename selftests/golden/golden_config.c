// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies and what the reader says about them: config/NAME.json beside config/NAME.errors, whose
 * lines are `PLACE: MESSAGE`, none for a valid policy. UPDATE=1 in the environment writes the
 * expectations anew; the difference is then for a person to judge.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "test.h"

#define SUFFIX        ".json"
#define FILE_SIZE_MAX (32 << 20)

static const char *directory(void)
{
	const char *golden = getenv("GOLDEN_DIR");

	return golden ? golden : "selftests/golden";
}

/* The lines of all problems, the caller's. */
static char *lines_of(const struct problems *problems)
{
	const struct problem *problem;
	char *lines = NULL;
	size_t size;
	FILE *out = open_memstream(&lines, &size);

	if (!out)
		return NULL;
	array_for_each(problem, problems)
		fprintf(out, "%s: %s\n", problem->place, problem->message);
	fclose(out);
	return lines;
}

static char *read_all(const char *path, size_t *length)
{
	char *text = NULL;
	struct err err;

	if (!test_check(!file_read(path, FILE_SIZE_MAX, &text, length, &err), __FILE__, __LINE__,
			"%s", err.text))
		return NULL;
	return text;
}

static void compare(const char *name, const char *path, const char *got)
{
	AUTO_FREE char *want = NULL;
	size_t length;
	struct err err;

	if (getenv("UPDATE")) {
		CHECK_INT(file_write(path, got, strlen(got), 0644, 0, &err), 0);
		return;
	}
	want = read_all(path, &length);
	if (want)
		test_check_text(got, want, __FILE__, __LINE__, name);
}

static void reads_as_expected(const void *data)
{
	const char *name = data;
	AUTO_FREE char *policy_path = mem_format("%s/config/%s" SUFFIX, directory(), name);
	AUTO_FREE char *errors_path = mem_format("%s/config/%s.errors", directory(), name);
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *got = NULL;
	struct problems problems = { 0 };
	struct config *config = NULL;
	size_t length;
	int r;

	text = read_all(policy_path, &length);
	REQUIRE(text);

	r = config_read(text, length, &config, &problems);
	CHECK_INT(r, problems.count ? -EINVAL : 0);
	CHECK(!config == (r != 0));
	got = lines_of(&problems);
	if (CHECK(got))
		compare(name, errors_path, got);

	problems_free(&problems);
	config_free(config);
}

static int is_policy(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > strlen(SUFFIX) && !strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX);
}

static void finds_policies(void)
{
	test_check(false, __FILE__, __LINE__, "no policies below %s/config", directory());
}

__attribute__((constructor)) static void register_policies(void)
{
	AUTO_FREE char *path = mem_format("%s/config", directory());
	struct dirent **entries = NULL;
	int count = path ? scandir(path, &entries, is_policy, alphasort) : -1;
	int i;

	if (count <= 0)
		test_register(__FILE__, "finds_policies", finds_policies);
	for (i = 0; i < count; i++) {
		/* the case's for as long as the program runs */
		char *name = strdup(entries[i]->d_name);

		if (name) {
			name[strlen(name) - strlen(SUFFIX)] = '\0';
			test_register_row(__FILE__, name, reads_as_expected, name);
		}
		free(entries[i]);
	}
	free(entries);
}
