// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `diff` prints: diff/NAME/{old.json,new.json} in, `text` and `json` out, byte for byte.
 * "@NAME@" stands for a key.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fixture.h"
#include "golden.h"
#include "report/delta.h"
#include "test.h"

static int read_policy(struct fixture *f, const char *name, const char *part)
{
	AUTO_FREE char *text = golden_read(NULL, "diff/%s/%s", name, part);
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
	golden_compare(text, "diff/%s/%s", name, part);
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

__attribute__((constructor)) static void register_cases(void)
{
	golden_register(__FILE__, "diff", "", prints_as_expected);
}
