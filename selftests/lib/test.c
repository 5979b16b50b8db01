// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES_MAX 4096

struct test_case {
	char name[128];
	test_function function;
	void (*row_function)(const void *);
	const void *data;
};

static struct test_case cases[CASES_MAX];
static size_t case_count;

static unsigned int checks, failures;
static char skip_reason[256];

/* "selftests/unit/test_addr.c", "reads" -> "unit.addr.reads" */
static void name_put(char *buf, size_t size, const char *file, const char *name)
{
	const char *tier = strstr(file, "selftests/");
	const char *base = strrchr(file, '/');
	size_t tier_length;

	tier = tier ? tier + strlen("selftests/") : "";
	tier_length = strcspn(tier, "/");
	base = base ? base + 1 : file;
	if (!strncmp(base, "test_", 5))
		base += 5;
	snprintf(buf, size, "%.*s.%.*s.%s", (int)tier_length, tier, (int)strcspn(base, "."), base,
		 name);
}

static struct test_case *case_add(const char *file, const char *name)
{
	struct test_case *added;

	if (case_count == CASES_MAX) {
		fprintf(stderr, "too many cases: raise CASES_MAX\n");
		exit(1);
	}
	added = &cases[case_count++];
	name_put(added->name, sizeof(added->name), file, name);
	return added;
}

void test_register(const char *file, const char *name, test_function function)
{
	case_add(file, name)->function = function;
}

void test_register_row(const char *file, const char *name, void (*function)(const void *),
		       const void *data)
{
	struct test_case *added = case_add(file, name);

	added->row_function = function;
	added->data = data;
}

bool test_check(bool good, const char *file, int line, const char *format, ...)
{
	va_list args;

	checks++;
	if (good)
		return true;

	failures++;
	printf("  %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return false;
}

static void dump(const char *label, const uint8_t *bytes, size_t length)
{
	size_t i;

	printf("  %s (%zu):", label, length);
	for (i = 0; i < length; i++)
		printf("%s%02x", i % 32 ? (i % 4 ? "" : " ") : "\n    ", bytes[i]);
	printf("\n");
}

bool test_check_bytes(const void *got, size_t got_length, const void *want, size_t want_length,
		      const char *file, int line, const char *what)
{
	size_t common = got_length < want_length ? got_length : want_length;
	const uint8_t *a = got, *b = want;
	size_t at = 0;

	while (at < common && a[at] == b[at])
		at++;
	if (test_check(at == got_length && at == want_length, file, line,
		       "%s differs from byte %zu on", what, at))
		return true;

	dump("got", got, got_length);
	dump("want", want, want_length);
	return false;
}

bool test_check_text(const char *got, const char *want, const char *file, int line,
		     const char *what)
{
	if (!got)
		return test_check(false, file, line, "%s is NULL, not \"%s\"", what, want);
	return test_check(!strcmp(got, want), file, line, "%s is \"%s\", not \"%s\"", what, got,
			  want);
}

void test_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(skip_reason, sizeof(skip_reason), format, args);
	va_end(args);
}

/* The arguments are parts of names: of what is wanted, or with a '-' in front of what is not. */
static bool is_wanted(const struct test_case *c, int argc, char **argv)
{
	bool all = true, wanted = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] == '-') {
			if (strstr(c->name, argv[i] + 1))
				return false;
			continue;
		}
		all = false;
		wanted |= strstr(c->name, argv[i]) != NULL;
	}
	return all || wanted;
}

/* Returns whether it failed. */
static bool run_case(const struct test_case *c)
{
	checks = 0;
	failures = 0;
	skip_reason[0] = '\0';

	if (c->row_function)
		c->row_function(c->data);
	else
		c->function();

	if (!checks && !skip_reason[0]) {
		printf("  it checked nothing\n");
		failures++;
	}
	if (failures)
		printf("FAIL %s\n", c->name);
	else if (skip_reason[0])
		printf("SKIP %s: %s\n", c->name, skip_reason);
	else
		printf("PASS %s\n", c->name);
	fflush(stdout);
	return failures;
}

static bool names_a_case(const char *part)
{
	size_t i;

	for (i = 0; i < case_count; i++)
		if (strstr(cases[i].name, part))
			return true;
	return false;
}

/*
 * What names no case, because it was renamed say, would run nothing, or more than is wanted, and
 * be green.
 */
static bool every_part_names_a_case(int argc, char **argv)
{
	bool every = true;
	int i;

	for (i = 1; i < argc; i++) {
		if (names_a_case(argv[i] + (argv[i][0] == '-')))
			continue;
		printf("  no case has \"%s\" in its name\nFAIL selection\n", argv[i]);
		every = false;
	}
	return every;
}

int main(int argc, char **argv)
{
	bool failed = !every_part_names_a_case(argc, argv);
	size_t i;

	for (i = 0; i < case_count; i++)
		if (is_wanted(&cases[i], argc, argv))
			failed |= run_case(&cases[i]);
	return failed;
}
