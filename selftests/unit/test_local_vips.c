// SPDX-License-Identifier: GPL-2.0-only
/* Where local VIPs are, by questions and answers; time is what the test says. */
#include <errno.h>
#include <string.h>

#include "model/local_vips.h"
#include "test.h"

static struct state want_ranges(const char *first, const char *second)
{
	const char *texts[] = { first, second };
	struct state want = { 0 };
	size_t i;

	for (i = 0; i < 2; i++) {
		struct state_local_vips *vips;

		if (!texts[i])
			continue;
		vips = array_add(&want.local_vips);
		CHECK_INT(addr_range_read(texts[i], &vips->range), 0);
	}
	return want;
}

static struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	CHECK_INT(addr_read(text, &addr), 0);
	return addr;
}

/* How long until nobody has answered often enough, from start; -1: never within a minute. */
static int64_t until_here(struct local_vip *vip, int64_t start)
{
	int64_t now;
	bool asked;

	for (now = start; now < start + 60000; now += 50)
		if (local_vip_look(vip, now, &asked))
			return now - start;
	return -1;
}

TEST(asks_for_all_of_small_ranges_and_for_none_of_large_ones)
{
	struct state small = want_ranges("10.0.0.1-10.0.0.4", "fd00::1-fd00::2");
	struct state large = want_ranges("10.0.0.1-10.0.0.4", "fd00::-fd00::ffff");
	struct local_vips vips = { 0 };

	CHECK_INT(local_vips_follow(&vips, &small, 0), 0);
	CHECK_INT(vips.count, 6);
	CHECK_INT(local_vips_follow(&vips, &large, 0), 0);
	CHECK_INT(vips.count, 6); /* known already, and of a range still */
	CHECK(!vips.items[0].always);
	array_clear(&vips);
	CHECK_INT(local_vips_follow(&vips, &large, 0), 0);
	CHECK_INT(vips.count, 0);
	state_free(&small);
	state_free(&large);
}

TEST(forgets_what_is_of_no_range_any_more)
{
	struct state before = want_ranges("10.0.0.1-10.0.0.4", NULL);
	struct state after = want_ranges("10.0.0.3-10.0.0.5", NULL);
	struct addr gone = addr_of("10.0.0.1"), stays = addr_of("10.0.0.4");
	struct local_vips vips = { 0 };

	CHECK_INT(local_vips_follow(&vips, &before, 0), 0);
	CHECK_INT(local_vips_follow(&vips, &after, 0), 0);
	CHECK_INT(vips.count, 3);
	CHECK(!local_vips_find(&vips, &gone));
	CHECK(local_vips_find(&vips, &stays));
	array_clear(&vips);
	state_free(&before);
	state_free(&after);
}

TEST(is_here_when_three_questions_go_unanswered)
{
	struct state want = want_ranges("10.0.0.1-10.0.0.1", NULL);
	struct addr addr = addr_of("10.0.0.1");
	struct local_vips vips = { 0 };
	struct local_vip *vip;
	bool asked;

	CHECK_INT(local_vips_follow(&vips, &want, 1000), 0);
	vip = local_vips_find(&vips, &addr);
	REQUIRE(vip);
	CHECK(!local_vip_look(vip, 1000, &asked));
	CHECK(asked);
	CHECK(!local_vip_look(vip, 1100, &asked));
	CHECK(!asked); /* it has been, just now */
	CHECK_INT(until_here(vip, 1000), 3 * LOCAL_VIP_AGAIN_MS);
	CHECK_INT(vip->where, TP_VIP_HERE);
	CHECK_INT(until_here(vip, 2000), -1); /* that is no news */
	array_clear(&vips);
	state_free(&want);
}

TEST(one_answer_tells_that_it_is_elsewhere)
{
	struct local_vip vip = { .where = TP_VIP_HERE, .used_ms = -LOCAL_VIP_IN_USE_MS };
	bool asked;

	CHECK(local_vip_hear(&vip, 500));
	CHECK_INT(vip.where, TP_VIP_ELSEWHERE);
	CHECK(!local_vip_hear(&vip, 600)); /* no news */
	CHECK(!local_vip_look(&vip, 600 + LOCAL_VIP_REST_MS - 1, &asked));
	CHECK(!asked);
	CHECK_INT(until_here(&vip, 600), LOCAL_VIP_REST_MS + 3 * LOCAL_VIP_AGAIN_MS);
}

TEST(an_answer_among_misses_begins_the_count_anew)
{
	struct local_vip vip = { .where = TP_VIP_ELSEWHERE };
	bool asked;

	CHECK(!local_vip_look(&vip, 0, &asked));
	CHECK(!local_vip_look(&vip, 250, &asked));
	CHECK(!local_vip_look(&vip, 500, &asked));
	CHECK(!local_vip_hear(&vip, 600));
	CHECK_INT(until_here(&vip, 600), LOCAL_VIP_ASK_MS + 3 * LOCAL_VIP_AGAIN_MS);
}

TEST(follows_what_packets_have_met)
{
	struct state want = want_ranges("fd00::-fd00::ffff", NULL);
	struct addr met = addr_of("fd00::7"), nobodys = addr_of("fd01::7");
	struct tp_local_vip row = { .used = 40 };
	struct local_vips vips = { 0 };
	const struct state_local_vips *ranges = want.local_vips.items;
	struct local_vip *vip;

	CHECK_INT(local_vips_meet(&vips, ranges, 1, &nobodys, &row, 0), -ENOENT);
	CHECK_INT(local_vips_meet(&vips, ranges, 1, &met, &row, 0), 0);
	vip = local_vips_find(&vips, &met);
	REQUIRE(vip);
	CHECK(!local_vip_is_idle(vip, LOCAL_VIP_IN_USE_MS - 1));
	CHECK(local_vip_is_idle(vip, LOCAL_VIP_IN_USE_MS));
	CHECK_INT(local_vips_meet(&vips, ranges, 1, &met, &row, 50000), 0); /* the same packet */
	CHECK(local_vip_is_idle(vip, LOCAL_VIP_IN_USE_MS));
	row.used = 41;
	CHECK_INT(local_vips_meet(&vips, ranges, 1, &met, &row, 50000), 0);
	CHECK(!local_vip_is_idle(vip, LOCAL_VIP_IN_USE_MS));
	array_clear(&vips);
	state_free(&want);
}
