// SPDX-License-Identifier: GPL-2.0-only
/*
 * What grants mean: rules/NAME.json in, and out, in NAME.rules beside it, which advertised routes
 * are approved and the compiled rules, the same on every node; or the errors. "@NAME@" stands for
 * a key.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "dump_state.h"
#include "fixture.h"
#include "golden.h"
#include "model/compile.h"
#include "test.h"

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
	AUTO_FREE char *policy = golden_read(NULL, "rules/%s.json", name);
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
	golden_compare(got, "rules/%s.rules", name);
	fixture_free(&f);
}

__attribute__((constructor)) static void register_cases(void)
{
	golden_register(__FILE__, "rules", ".json", compiles_as_expected);
}
