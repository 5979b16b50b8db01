// SPDX-License-Identifier: GPL-2.0-only
/*
 * What grants mean: rules/NAME.json in, and out, in NAME.rules beside it, which advertised routes
 * are approved and the compiled rules, the same on every node; or the errors. "@NAME@" stands for
 * a key. UPDATE=1 in the environment writes the expectations anew; the difference is then for a
 * person to judge.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dump_state.h"
#include "fixture.h"
#include "model/compile.h"
#include "test.h"

#define SUFFIX        ".json"
#define FILE_SIZE_MAX (1 << 20)

static const char *directory(void)
{
	const char *golden = getenv("GOLDEN_DIR");

	return golden ? golden : "selftests/golden";
}

static char *read_all(const char *path)
{
	char *text = NULL;
	size_t length;
	struct err err;

	if (!test_check(!file_read(path, FILE_SIZE_MAX, &text, &length, &err), __FILE__, __LINE__,
			"%s", err.text))
		return NULL;
	return text;
}

static void compare(const char *name, const char *got)
{
	AUTO_FREE char *path = mem_format("%s/rules/%s.rules", directory(), name);
	AUTO_FREE char *want = NULL;
	struct err err;

	if (getenv("UPDATE")) {
		CHECK_INT(file_write(path, got, strlen(got), 0644, 0, &err), 0);
		return;
	}
	want = read_all(path);
	if (want)
		test_check_text(got, want, __FILE__, __LINE__, name);
}

static void dump_approvals(FILE *out, const struct policy *policy)
{
	const struct policy_route *route;
	char text[PREFIX_TEXT_SIZE];

	array_for_each(route, &policy->routes)
		fprintf(out, "%s %s of %s\n", route->approved ? "approved" : "unapproved",
			prefix_put(text, &route->prefix),
			policy->members.items[route->member].name);
}

static void dump_compiled(FILE *out, const struct policy *policy)
{
	struct tables tables = { 0 };

	CHECK_INT(compile_rules(policy, &tables), 0);
	dump_rules(out, &tables);
	tables_free(&tables);
}

static void compiles_as_expected(const void *data)
{
	const char *name = data;
	AUTO_FREE char *path = mem_format("%s/rules/%s" SUFFIX, directory(), name);
	AUTO_FREE char *policy = read_all(path);
	AUTO_FREE char *got = NULL;
	const struct problem *problem;
	struct fixture f = { 0 };
	size_t size;
	FILE *out;

	REQUIRE(policy);
	CHECK_INT(fixture_policy(&f, policy), f.problems.count ? -EINVAL : 0);
	out = open_memstream(&got, &size);
	array_for_each(problem, &f.problems)
		fprintf(out, "error %s: %s\n", problem->place, problem->message);
	if (f.policy) {
		dump_approvals(out, f.policy);
		dump_compiled(out, f.policy);
	}
	fclose(out);
	compare(name, got);
	fixture_free(&f);
}

static int is_policy(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > strlen(SUFFIX) && !strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX);
}

static void finds_policies(void)
{
	test_check(false, __FILE__, __LINE__, "no policies below %s/rules", directory());
}

__attribute__((constructor)) static void register_policies(void)
{
	AUTO_FREE char *path = mem_format("%s/rules", directory());
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
			test_register_row(__FILE__, name, compiles_as_expected, name);
		}
		free(entries[i]);
	}
	free(entries);
}
