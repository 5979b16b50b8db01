/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test harness of the C tiers. A case is a function that registers itself:
 *
 *	TEST(drops_what_no_rule_allows)
 *	{
 *		CHECK_INT(verdict, 2);
 *	}
 *
 * A failed check is printed with its place and values, and the case goes on; REQUIRE ends it.
 * A case that checks nothing fails. The program prints one line a case, `PASS tier.case`,
 * `FAIL tier.case` or `SKIP tier.case: reason`, and exits 1 if one failed. Arguments: substrings
 * of the names to run; none runs all.
 */
#ifndef SELFTESTS_TEST_H
#define SELFTESTS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*test_function)(void);

void test_register(const char *file, const char *name, test_function function);
/* For table-driven cases: one registered case per row, `name` copied, data handed to function. */
void test_register_row(const char *file, const char *name, void (*function)(const void *),
		       const void *data);

#define TEST(name)                                                          \
	static void test_##name(void);                                      \
	__attribute__((constructor)) static void test_register_##name(void) \
	{                                                                   \
		test_register(__FILE__, #name, test_##name);                \
	}                                                                   \
	static void test_##name(void)

bool test_check(bool good, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool test_check_bytes(const void *got, size_t got_length, const void *want, size_t want_length,
		      const char *file, int line, const char *what);
bool test_check_text(const char *got, const char *want, const char *file, int line,
		     const char *what);
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(condition) test_check((condition), __FILE__, __LINE__, "%s", #condition)
/* Each argument is evaluated once: it may be the call under test. */
#define CHECK_INT(got, want)                                                                      \
	__extension__({                                                                           \
		long long _got = (got), _want = (want);                                           \
		test_check(_got == _want, __FILE__, __LINE__, "%s is %lld, not %lld", #got, _got, \
			   _want);                                                                \
	})
#define CHECK_TEXT(got, want) test_check_text((got), (want), __FILE__, __LINE__, #got)
#define CHECK_BYTES(got, got_length, want, want_length) \
	test_check_bytes((got), (got_length), (want), (want_length), __FILE__, __LINE__, #got)
#define REQUIRE(condition)             \
	do {                           \
		if (!CHECK(condition)) \
			return;        \
	} while (0)

#endif
