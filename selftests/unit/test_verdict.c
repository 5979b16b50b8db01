// SPDX-License-Identifier: GPL-2.0-only
/* Answers in a row, of a server that is held to live or not. */
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
