// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct numbers {
	ARRAY_OF(int);
};

static void fill(struct numbers *numbers, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		int *added = array_add(numbers);

		REQUIRE(added);
		*added = i;
	}
}

TEST(starts_empty_without_memory)
{
	struct numbers numbers = { 0 };
	const int *item;
	int seen = 0;

	array_for_each(item, &numbers)
		seen++;
	CHECK_INT(seen, 0);
	array_clear(&numbers);
	CHECK(!numbers.items);
}

TEST(keeps_order_and_values_while_it_grows)
{
	struct numbers numbers = { 0 };
	const int *item;
	int want = 0;

	fill(&numbers, 1000);
	CHECK_INT(numbers.count, 1000);
	CHECK(numbers.capacity >= numbers.count);
	array_for_each(item, &numbers) {
		CHECK_INT(*item, want);
		want++;
	}
	CHECK_INT(want, 1000);
	array_clear(&numbers);
}

TEST(new_elements_are_zeroed_also_in_used_memory)
{
	struct numbers numbers = { 0 };
	int i;

	fill(&numbers, 20);
	memset(numbers.items, 0xff, numbers.capacity * sizeof(*numbers.items));
	numbers.count = 0;
	for (i = 0; i < 20; i++) {
		const int *added = array_add(&numbers);

		REQUIRE(added);
		CHECK_INT(*added, 0);
	}
	array_clear(&numbers);
}

TEST(clear_makes_it_usable_again)
{
	struct numbers numbers = { 0 };

	fill(&numbers, 9);
	array_clear(&numbers);
	CHECK(!numbers.items);
	CHECK_INT(numbers.count, 0);
	CHECK_INT(numbers.capacity, 0);

	fill(&numbers, 2);
	CHECK_INT(numbers.count, 2);
	CHECK_INT(numbers.items[1], 1);
	array_clear(&numbers);
}

TEST(a_size_that_overflows_adds_nothing)
{
	size_t count = SIZE_MAX / 8, capacity = SIZE_MAX / 8;
	void *items = NULL;

#ifdef __SANITIZE_ADDRESS__
	test_skip("the sanitizer ends the program where malloc gives NULL");
	return;
#endif
	CHECK(!array_grow(&items, &count, &capacity, 64));
	CHECK(!items);
	CHECK(count == SIZE_MAX / 8);
	CHECK(capacity == SIZE_MAX / 8);
}
