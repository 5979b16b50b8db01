// SPDX-License-Identifier: GPL-2.0-only
/* Answers in a row, of a server that is held to live or not. */
#include "base/mem.h"
#include "daemon/verdict.h"
#include "test.h"

#define FAIL 3
#define RISE 2

/* '+' lives, '-' does not; gives the answer, from 1, that turns it, or 0. */
static int turns_at(bool healthy, const char *answers)
{
	struct verdict verdict = { .healthy = healthy };
	int i;

	for (i = 0; answers[i]; i++)
		if (verdict_hear(&verdict, answers[i] == '+', FAIL, RISE))
			return i + 1;
	CHECK_INT(verdict.healthy, healthy);
	return 0;
}

TEST(turns_after_that_many_answers_in_a_row)
{
	CHECK_INT(turns_at(true, "--"), 0);
	CHECK_INT(turns_at(true, "---"), 3);
	CHECK_INT(turns_at(false, "+"), 0);
	CHECK_INT(turns_at(false, "++"), 2);
}

TEST(begins_anew_with_each_answer_that_agrees)
{
	CHECK_INT(turns_at(true, "--+--+--+"), 0);
	CHECK_INT(turns_at(true, "--+---"), 6);
	CHECK_INT(turns_at(false, "+-+-+-"), 0);
	CHECK_INT(turns_at(false, "+-++"), 4);
}

TEST(says_it_again_until_it_is_held)
{
	struct verdict verdict = { .healthy = true };
	int i;

	for (i = 1; i <= FAIL + 2; i++)
		CHECK_INT(verdict_hear(&verdict, false, FAIL, RISE), i >= FAIL);
	verdict_set(&verdict, true); /* what the kernel has is what it was */
	CHECK(verdict_hear(&verdict, false, FAIL, RISE));
	verdict_set(&verdict, false);
	CHECK(!verdict_hear(&verdict, false, FAIL, RISE));
	CHECK(!verdict_hear(&verdict, true, FAIL, RISE));
	CHECK(verdict_hear(&verdict, true, FAIL, RISE));
}

TEST(goes_by_numbers_that_change)
{
	struct verdict verdict = { .healthy = true };
	int i;

	for (i = 0; i < 10; i++)
		CHECK(!verdict_hear(&verdict, false, 20, RISE));
	CHECK(verdict_hear(&verdict, false, 2, RISE));
}

TEST(wanes_until_an_answer_agrees_or_it_is_held)
{
	struct verdict verdict = { .healthy = true };

	CHECK(!verdict_is_waning(&verdict));
	verdict_hear(&verdict, false, FAIL, RISE);
	CHECK(verdict_is_waning(&verdict));
	verdict_hear(&verdict, true, FAIL, RISE);
	CHECK(!verdict_is_waning(&verdict));
	verdict_hear(&verdict, false, FAIL, RISE);
	verdict_set(&verdict, false);
	CHECK(!verdict_is_waning(&verdict));
	verdict_hear(&verdict, true, FAIL, RISE); /* nor does it come back sooner */
	CHECK(!verdict_is_waning(&verdict));
}

/* It dies just when it has answered: the next question comes an interval later. */
TEST(misses_all_answers_before_as_many_intervals_are_over)
{
	static const uint32_t intervals_ms[] = { 10, 11, 200, 1000, 3600000 };
	uint32_t fail;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(intervals_ms); i++)
		for (fail = 1; fail <= 100; fail++) {
			uint64_t interval_ms = intervals_ms[i];
			uint64_t pace_ms = verdict_pace_ms(intervals_ms[i], fail);
			uint64_t most = fail < 2 ? 2 : fail;

			CHECK(pace_ms > 0 && pace_ms < interval_ms);
			CHECK(interval_ms + fail * pace_ms <= most * interval_ms - interval_ms / 8);
		}
	CHECK_INT(verdict_pace_ms(1000, 1), 875);
	CHECK_INT(verdict_pace_ms(1000, 2), 437);
	CHECK_INT(verdict_pace_ms(1000, 3), 625);
	CHECK_INT(verdict_pace_ms(1000, 100), 875);
}
