// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

#define UNTOUCHED 4711

static void check_refused(const char *text, uint64_t min, uint64_t max, int code)
{
	uint64_t value = UNTOUCHED;

	if (!CHECK_INT(num_read(text, min, max, &value), code) || !CHECK_INT(value, UNTOUCHED))
		test_check(false, __FILE__, __LINE__, "for \"%s\"", text);
}

static void check_read(const char *text, uint64_t want)
{
	uint64_t value = UNTOUCHED;

	CHECK_INT(num_read(text, 0, UINT64_MAX, &value), 0);
	CHECK(value == want);
}

TEST(reads_decimal_digits)
{
	check_read("0", 0);
	check_read("7", 7);
	check_read("10", 10);
	check_read("65535", 65535);
	check_read("18446744073709551615", UINT64_MAX);
}

TEST(refuses_what_is_no_number)
{
	static const char *const texts[] = { "",   " ",   "-",  "-1",  "+1", " 1",  "1 ",
					     "1x", "0x1", "1.", "1e3", "a",  "1\n", "\xd9\xa1" };
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_refused(texts[i], 0, UINT64_MAX, -EINVAL);
}

TEST(refuses_leading_zeros)
{
	check_refused("00", 0, 9, -EINVAL);
	check_refused("01", 0, 9, -EINVAL);
	check_refused("007", 0, 9, -EINVAL);
}

TEST(keeps_within_both_bounds)
{
	uint64_t value = 0;

	CHECK_INT(num_read("5", 5, 9, &value), 0);
	CHECK_INT(value, 5);
	CHECK_INT(num_read("9", 5, 9, &value), 0);
	CHECK_INT(value, 9);
	check_refused("4", 5, 9, -ERANGE);
	check_refused("10", 5, 9, -ERANGE);
}

TEST(overflow_is_out_of_range)
{
	check_refused("18446744073709551616", 0, UINT64_MAX, -ERANGE); /* the addition */
	check_refused("18446744073709551620", 0, UINT64_MAX, -ERANGE); /* the multiplication */
	check_refused("99999999999999999999999999999", 0, UINT64_MAX, -ERANGE);
}

TEST(reads_no_further_than_told)
{
	uint64_t value = 0;

	CHECK_INT(num_read_n("1234", 2, 0, 99, &value), 0);
	CHECK_INT(value, 12);
	CHECK_INT(num_read_n("12/24", 2, 0, 99, &value), 0);
	CHECK_INT(num_read_n("0123", 1, 0, 99, &value), 0);
	CHECK_INT(value, 0);
	CHECK_INT(num_read_n("12", 0, 0, 99, &value), -EINVAL);
	CHECK_INT(num_read_n("1\0002", 3, 0, 999, &value), -EINVAL);
}
