// SPDX-License-Identifier: GPL-2.0-only
/* The days before a key expires, to the second. */
#include "fixture.h"
#include "model/expiry.h"
#include "test.h"

#define DATE      1800000000 /* 2027-01-15T08:00:00Z */
#define DATE_TEXT "2027-01-15T08:00:00Z"
#define DAYS(n)   ((int64_t)(n)*EXPIRY_DAY)

static const struct {
	const char *name;
	int64_t before; /* seconds until it expires; negative: since */
	enum expiry judged;
	const char *text;
	int64_t next; /* seconds before it expires when that changes; -1: never */
} moments[] = {
	{ "long_before", DAYS(100), EXPIRY_FAR, "", DAYS(14) },
	{ "a_second_more_than_14_days", DAYS(14) + 1, EXPIRY_FAR, "", DAYS(14) },
	{ "at_14_days", DAYS(14), EXPIRY_NEAR, "expires on " DATE_TEXT ", within 14 days",
	  DAYS(13) },
	{ "a_second_less_than_14_days", DAYS(14) - 1, EXPIRY_NEAR,
	  "expires on " DATE_TEXT ", within 14 days", DAYS(13) },
	{ "at_13_days", DAYS(13), EXPIRY_NEAR, "expires on " DATE_TEXT ", within 13 days",
	  DAYS(12) },
	{ "a_second_more_than_a_day", DAYS(1) + 1, EXPIRY_NEAR,
	  "expires on " DATE_TEXT ", within 2 days", DAYS(1) },
	{ "at_a_day", DAYS(1), EXPIRY_NEAR, "expires on " DATE_TEXT ", within 1 day", 0 },
	{ "the_last_second", 1, EXPIRY_NEAR, "expires on " DATE_TEXT ", within 1 day", 0 },
	{ "on_its_date", 0, EXPIRY_PAST, "expired on " DATE_TEXT, -1 },
	{ "behind_its_date", -DAYS(400), EXPIRY_PAST, "expired on " DATE_TEXT, -1 },
};

static void says_when(const void *data)
{
	size_t i = (size_t)data;
	int64_t now = DATE - moments[i].before;
	char text[EXPIRY_TEXT_SIZE];

	CHECK_INT(expiry_judge(DATE, now), moments[i].judged);
	CHECK_TEXT(expiry_put(text, DATE, now), moments[i].text);
	CHECK_INT(expiry_next(DATE, now), moments[i].next < 0 ? INT64_MAX : DATE - moments[i].next);
}

__attribute__((constructor)) static void register_moments(void)
{
	size_t i;

	for (i = 0; i < sizeof(moments) / sizeof(*moments); i++)
		test_register_row(__FILE__, moments[i].name, says_when, (const void *)i);
}

TEST(no_date_is_never)
{
	char text[EXPIRY_TEXT_SIZE];

	CHECK_INT(expiry_judge(0, DATE), EXPIRY_FAR);
	CHECK_TEXT(expiry_put(text, 0, DATE), "");
	CHECK_INT(expiry_next(0, DATE), INT64_MAX);
}

/* What is told and the peers that there are change at the same dates as the daemon wakes. */
TEST(the_calendar_wakes_for_each_change)
{
	static const char text[] =
		"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\","
		" \"addresses\": [\"100.80.0.1\"] } }, \"peers\": {"
		" \"x\": { \"public_key\": \"@x@\", \"addresses\": [\"100.80.0.10\"],"
		"   \"key_expiry\": \"2027-01-15T08:00:00Z\" },"
		" \"y\": { \"public_key\": \"@y@\", \"addresses\": [\"100.80.0.11\"],"
		"   \"key_expiry\": \"2027-01-16T09:00:00Z\" } }, \"grants\": [] }";
	struct fixture f;
	int r = fixture_policy(&f, text);
	int64_t now = DATE - DAYS(30);
	int changes = 0;

	REQUIRE(!r);
	while (policy_next_date(f.policy, now) != INT64_MAX) {
		struct problems before = { 0 }, after = { 0 };
		int64_t next = policy_next_date(f.policy, now);

		CHECK(next > now);
		r = policy_key_warnings(f.policy, next - 1, &before);
		CHECK_INT(r, 0);
		r = policy_key_warnings(f.policy, next, &after);
		CHECK_INT(r, 0);
		CHECK(!problems_is_equal(&before, &after));
		problems_free(&before);
		problems_free(&after);
		now = next;
		changes++;
	}
	CHECK_INT(changes, 2 * (EXPIRY_DAYS + 1));
	fixture_free(&f);
}
