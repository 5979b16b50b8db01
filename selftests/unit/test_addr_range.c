// SPDX-License-Identifier: GPL-2.0-only
/* Ranges of addresses, and the prefixes that cover them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "test.h"

static struct addr_range range(const char *text)
{
	struct addr_range out = { 0 };

	if (addr_range_read(text, &out))
		test_check(false, __FILE__, __LINE__, "\"%s\" is no range", text);
	return out;
}

TEST(reads_ranges_of_one_family_in_order)
{
	struct addr_range r = range("10.0.0.1-10.0.0.9");
	char buf[RANGE_TEXT_SIZE];

	CHECK_TEXT(addr_range_put(buf, &r), "10.0.0.1-10.0.0.9");
	r = range("2001:db8::1-2001:db8::f");
	CHECK_TEXT(addr_range_put(buf, &r), "2001:db8::1-2001:db8::f");
	r = range("10.0.0.1-10.0.0.1");
	CHECK_TEXT(addr_range_put(buf, &r), "10.0.0.1");
}

TEST(the_longest_range_fits_its_buffer)
{
	static const char text[] = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-"
				   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
	struct addr_range r = range(text);
	char buf[RANGE_TEXT_SIZE];

	CHECK_TEXT(addr_range_put(buf, &r), text);
}

TEST(refuses_what_is_no_range)
{
	static const char *const texts[] = {
		"",
		"-",
		"10.0.0.1",
		"10.0.0.1-",
		"-10.0.0.1",
		"10.0.0.2-10.0.0.1",
		"10.0.0.1-::1",
		"::1-10.0.0.1",
		"::2-::1",
		"10.0.0.1--10.0.0.2",
		"10.0.0.1-10",
		"10.0.0.1 - 10.0.0.2",
		"10.0.0.0/8-11.0.0.0",
		"1.1.1.1-2.2.2.2-3.3.3.3",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct addr_range out, before;

		memset(&out, 7, sizeof(out));
		before = out;
		if (!CHECK_INT(addr_range_read(texts[i], &out), -EINVAL) ||
		    !CHECK(!memcmp(&out, &before, sizeof(out))))
			test_check(false, __FILE__, __LINE__, "for \"%s\"", texts[i]);
	}
}

/* "a b c", as addr_range_prefixes gives them */
static const char *cover_range(const struct addr_range *r, char *buf, size_t size)
{
	struct prefix prefixes[ADDR_RANGE_PREFIX_MAX];
	size_t count = addr_range_prefixes(r, prefixes), used = 0, i;
	char one[PREFIX_TEXT_SIZE];

	buf[0] = '\0';
	for (i = 0; i < count && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? " " : "",
					 prefix_put(one, &prefixes[i]));
	return buf;
}

static const char *cover(const char *text, char *buf, size_t size)
{
	struct addr_range r = range(text);

	return cover_range(&r, buf, size);
}

TEST(covers_a_range_with_the_fewest_prefixes)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.0-10.255.255.255", "10.0.0.0/8" },
		{ "10.0.0.5-10.0.0.5", "10.0.0.5/32" },
		{ "10.0.0.1-10.0.0.6", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32" },
		{ "10.0.0.0-10.0.0.2", "10.0.0.0/31 10.0.0.2/32" },
		{ "0.0.0.0-255.255.255.255", "0.0.0.0/0" },
		{ "255.255.255.254-255.255.255.255", "255.255.255.254/31" },
		{ "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0" },
		{ "2001:db8::-2001:db8::2", "2001:db8::/127 2001:db8::2/128" },
	};
	char buf[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		CHECK_TEXT(cover(pairs[i][0], buf, sizeof(buf)), pairs[i][1]);
}

/* or a grant on these IPv6 addresses would be a grant on all of IPv4 */
TEST(an_ipv6_range_around_the_mapped_block_does_not_cover_ipv4)
{
	char buf[512];

	CHECK_TEXT(cover("::fffe:ffff:ffff-::1:0:0:0", buf, sizeof(buf)),
		   "::fffe:ffff:ffff/128 ::1:0:0:0/128");
}

/*
 * No text says such a range, but the last address of ::/80 is one inside the IPv4 hole. What begins
 * in front of the hole and is no single prefix must not be looked for behind it.
 */
TEST(covers_a_range_that_ends_in_the_ipv4_hole)
{
	static const struct {
		const char *first, *covered;
	} rows[] = {
		{ "::fffe:0:0", "::fffe:0:0/95" },
		{ "::fffe:ffff:ffff", "::fffe:ffff:ffff/128" },
		{ "::fffe:ffff:fffe", "::fffe:ffff:fffe/127" },
		{ "::fffd:ffff:ffff", "::fffd:ffff:ffff/128 ::fffe:0:0/95" },
	};
	struct prefix around;
	char buf[256];
	size_t i;

	REQUIRE(!prefix_read("::/80", &around));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr_range r = { .last = prefix_range(&around).last };

		REQUIRE(!addr_read(rows[i].first, &r.first));
		CHECK_TEXT(cover_range(&r, buf, sizeof(buf)), rows[i].covered);
	}
}

TEST(the_worst_ranges_fit_the_list)
{
	struct addr_range worst6 = range("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	struct addr_range worst4 = range("0.0.0.1-255.255.255.254");
	struct prefix prefixes[ADDR_RANGE_PREFIX_MAX];
	size_t count;

	CHECK_INT(addr_range_prefixes(&worst4, prefixes), 62);
	count = addr_range_prefixes(&worst6, prefixes);
	CHECK_INT(count, 254);
	CHECK(prefix_is_host(&prefixes[0]));
	CHECK(prefix_is_host(&prefixes[count - 1]));
}

/* Every prefix begins where the one before it ended: nothing twice, nothing left out. */
TEST(the_cover_is_ascending_and_without_gaps)
{
	struct addr_range whole = range("10.1.2.3-10.200.100.50");
	struct prefix prefixes[ADDR_RANGE_PREFIX_MAX];
	size_t count = addr_range_prefixes(&whole, prefixes), i;
	struct addr next = whole.first;

	for (i = 0; i < count; i++) {
		struct addr_range r = prefix_range(&prefixes[i]);

		CHECK(addr_is_equal(&r.first, &next));
		next = r.last;
		CHECK(i == count - 1 || addr_next(&next));
	}
	CHECK(addr_is_equal(&next, &whole.last));
}

/* ---- endpoints ---- */
