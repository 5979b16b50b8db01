// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole pipelines without a kernel: want/NAME/{policy.json,facts} in, the wanted state and the
 * plan from an empty machine out, byte for byte, with warnings and errors in front of the state.
 * The first line of facts is `# node NAME`. "@NAME@" stands for a key. UPDATE=1 in the
 * environment writes the expectations anew; the difference is then for a person to judge.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dump_state.h"
#include "fixture.h"
#include "test.h"

#define FILE_SIZE_MAX (1 << 20)

static const char *directory(void)
{
	const char *golden = getenv("GOLDEN_DIR");

	return golden ? golden : "selftests/golden";
}

static char *read_part(const char *name, const char *part)
{
	AUTO_FREE char *path = mem_format("%s/want/%s/%s", directory(), name, part);
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
	AUTO_FREE char *path = mem_format("%s/want/%s/%s", directory(), name, part);
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

static void dump_problems(FILE *out, const char *kind, const struct problems *problems)
{
	const struct problem *problem;

	array_for_each(problem, problems)
		fprintf(out, "%s %s: %s\n", kind, problem->place, problem->message);
}

static void dump_result(FILE *out, struct fixture *f, int r)
{
	struct problems warnings = { 0 };
	int warned = f->policy ? policy_warnings(f->policy, &warnings) : 0;

	CHECK_INT(warned, 0);
	dump_problems(out, "error", &f->problems);
	dump_problems(out, "warning", &warnings);
	dump_problems(out, "warning", &f->warnings);
	problems_free(&warnings);
	if (r)
		fprintf(out, "error %d: %s\n", r, f->err.text);
	else
		dump_state(out, &f->want);
}

static int run(struct fixture *f, const char *name)
{
	AUTO_FREE char *policy = read_part(name, "policy.json");
	AUTO_FREE char *facts = read_part(name, "facts");
	char node[64];
	int r;

	if (!policy || !facts || !CHECK(sscanf(facts, "# node %63s", node) == 1))
		return -1;
	r = fixture_policy(f, policy);
	return r ? r : fixture_want(f, facts, node);
}

/* What has been applied is what was wanted, and then there is nothing left to do. */
static void check_idle(const struct state *want)
{
	struct state have = *want;
	struct plan plan = { 0 };
	struct err err;
	int r;

	have.generation = 1;
	r = plan_build(want, &have, &plan, &err);
	CHECK_INT(r, 0);
	CHECK_INT(plan.ops.count, 0);
	plan_free(&plan);
}

static char *text_of_plan(const struct state *want)
{
	const struct state empty = { 0 };
	struct plan plan = { 0 };
	char *text = NULL;
	struct err err;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r = plan_build(want, &empty, &plan, &err);

	CHECK_INT(r, 0);
	dump_plan(out, &plan);
	fclose(out);
	plan_free(&plan);
	return text;
}

static char *text_of_result(struct fixture *f, int r)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	dump_result(out, f, r);
	fclose(out);
	return text;
}

static void wants_as_expected(const void *data)
{
	const char *name = data;
	AUTO_FREE char *state = NULL;
	AUTO_FREE char *plan = NULL;
	struct fixture f = { 0 };
	int r = run(&f, name);

	state = text_of_result(&f, r);
	compare(name, "want", state);
	plan = r ? mem_copy_string("") : text_of_plan(&f.want);
	compare(name, "plan", plan);
	if (!r)
		check_idle(&f.want);
	fixture_free(&f);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void finds_cases(void)
{
	test_check(false, __FILE__, __LINE__, "no cases below %s/want", directory());
}

__attribute__((constructor)) static void register_cases(void)
{
	AUTO_FREE char *path = mem_format("%s/want", directory());
	struct dirent **entries = NULL;
	int count = path ? scandir(path, &entries, is_case, alphasort) : -1;
	int i;

	if (count <= 0)
		test_register(__FILE__, "finds_cases", finds_cases);
	for (i = 0; i < count; i++) {
		/* the case's for as long as the program runs */
		char *name = strdup(entries[i]->d_name);

		if (name)
			test_register_row(__FILE__, name, wants_as_expected, name);
		free(entries[i]);
	}
	free(entries);
}
