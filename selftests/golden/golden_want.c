// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole pipelines without a kernel: want/NAME/{policy.json,facts} in, the wanted state and the
 * plan from an empty machine out, byte for byte, with warnings and errors in front of the state.
 * The first line of facts is `# node NAME`. "@NAME@" stands for a key.
 */
#include <stdio.h>

#include "base/mem.h"
#include "dump_state.h"
#include "fixture.h"
#include "golden.h"
#include "test.h"

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

	if (!warned && f->policy)
		warned = policy_key_warnings(f->policy, f->facts.now, &warnings);
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
	AUTO_FREE char *policy = golden_read(NULL, "want/%s/policy.json", name);
	AUTO_FREE char *facts = golden_read(NULL, "want/%s/facts", name);
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
	golden_compare(state, "want/%s/want", name);
	plan = r ? mem_copy_string("") : text_of_plan(&f.want);
	golden_compare(plan, "want/%s/plan", name);
	if (!r)
		check_idle(&f.want);
	fixture_free(&f);
}

__attribute__((constructor)) static void register_cases(void)
{
	golden_register(__FILE__, "want", "", wants_as_expected);
}
