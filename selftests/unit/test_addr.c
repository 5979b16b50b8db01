// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"

static struct addr addr(const char *text)
{
	struct addr out = { 0 };

	if (addr_read(text, &out))
		test_check(false, __FILE__, __LINE__, "\"%s\" is no address", text);
	return out;
}

static struct prefix prefix(const char *text)
{
	struct prefix out = { 0 };

	if (prefix_read(text, &out))
		test_check(false, __FILE__, __LINE__, "\"%s\" is no prefix", text);
	return out;
}

/* ---- addresses ---- */

TEST(holds_ipv4_mapped)
{
	static const uint8_t want[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	struct addr a = addr("192.0.2.1");

	CHECK_BYTES(a.bytes, sizeof(a.bytes), want, sizeof(want));
	CHECK(addr_is_v4(&a));
}

TEST(holds_ipv6_as_it_is)
{
	static const uint8_t want[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x01 };
	struct addr a = addr("2001:db8::1");

	CHECK_BYTES(a.bytes, sizeof(a.bytes), want, sizeof(want));
	CHECK(!addr_is_v4(&a));
}

TEST(prints_the_canonical_text)
{
	static const char *const texts[][2] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "0:0:0:0:0:0:0:1", "::1" },
		{ "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	char buf[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct addr a = addr(texts[i][0]);

		CHECK_TEXT(addr_put(buf, &a), texts[i][1]);
	}
}

TEST(refuses_what_is_no_address)
{
	static const char *const texts[] = {
		"",
		" ",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"1.2.3.-1",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4/32",
		"1.2.3.4:80",
		"0x7f.0.0.1",
		"2130706433",
		"localhost",
		":",
		":::",
		"1::2::3",
		"12345::",
		"::g",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"[::1]",
		"::1/128",
		"::1.2.3",
		"aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct addr out = { .bytes = { 1, 2, 3 } }, before = out;

		if (!CHECK_INT(addr_read(texts[i], &out), -EINVAL) ||
		    !CHECK(addr_is_equal(&out, &before)))
			test_check(false, __FILE__, __LINE__, "for \"%s\"", texts[i]);
	}
}

/* inet_aton reads 010 as eight, people read ten: neither */
TEST(refuses_ipv4_with_leading_zeros)
{
	struct addr out;

	CHECK_INT(addr_read("010.0.0.1", &out), -EINVAL);
	CHECK_INT(addr_read("10.0.0.01", &out), -EINVAL);
	CHECK_INT(addr_read("10.00.0.1", &out), -EINVAL);
}

TEST(refuses_ipv6_that_spells_a_mapped_address)
{
	struct addr out;

	CHECK_INT(addr_read("::ffff:192.0.2.1", &out), -EINVAL);
	CHECK_INT(addr_read("::ffff:c000:201", &out), -EINVAL);
	CHECK_INT(addr_read("0:0:0:0:0:ffff:0:0", &out), -EINVAL);
	CHECK_INT(addr_read("::ffff:255.255.255.255", &out), -EINVAL);
	CHECK_INT(addr_read("::fffe:ffff:ffff", &out), 0);
	CHECK_INT(addr_read("::1:0:0:0", &out), 0);
}

TEST(refuses_zones)
{
	struct addr out;

	CHECK_INT(addr_read("fe80::1%eth0", &out), -EINVAL);
	CHECK_INT(addr_read("fe80::1%1", &out), -EINVAL);
	CHECK_INT(addr_read("fe80::1%", &out), -EINVAL);
}

TEST(zero_is_none_and_not_0_0_0_0)
{
	struct addr none = { 0 }, any4 = addr("0.0.0.0"), any6 = addr("::");

	CHECK(addr_is_zero(&none));
	CHECK(addr_is_zero(&any6));
	CHECK(!addr_is_zero(&any4));
}

TEST(compares_as_bytes)
{
	struct addr low = addr("10.0.0.1"), high = addr("10.0.1.0"), v6 = addr("2001:db8::");

	CHECK(addr_compare(&low, &high) < 0);
	CHECK(addr_compare(&high, &low) > 0);
	CHECK(addr_compare(&high, &v6) < 0);
	CHECK_INT(addr_compare(&low, &low), 0);
	CHECK(addr_is_equal(&low, &low));
	CHECK(!addr_is_equal(&low, &high));
}

TEST(next_adds_one_with_carry)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.1", "10.0.0.2" },
		{ "10.0.255.255", "10.1.0.0" },
		{ "2001:db8::ffff:ffff", "2001:db8::1:0:0" },
		{ "::", "::1" },
	};
	char buf[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct addr a = addr(pairs[i][0]);

		CHECK(addr_next(&a));
		CHECK_TEXT(addr_put(buf, &a), pairs[i][1]);
	}
}

TEST(next_stops_at_the_end_of_the_family)
{
	static const char *const last[] = { "255.255.255.255",
					    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(last); i++) {
		struct addr a = addr(last[i]), before = a;

		CHECK(!addr_next(&a));
		CHECK(addr_is_equal(&a, &before));
	}
}

TEST(next_never_walks_from_ipv6_into_ipv4)
{
	struct addr a = addr("::fffe:ffff:ffff");
	char buf[ADDR_TEXT_SIZE];

	CHECK(addr_next(&a));
	CHECK_TEXT(addr_put(buf, &a), "::1:0:0:0");
}

/* ---- prefixes ---- */

TEST(reads_prefixes_of_both_families)
{
	static const struct {
		const char *text, *put;
		int len, family_len;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", 104, 8 },
		{ "0.0.0.0/0", "0.0.0.0/0", 96, 0 },
		{ "192.0.2.1", "192.0.2.1/32", 128, 32 },
		{ "192.0.2.1/32", "192.0.2.1/32", 128, 32 },
		{ "192.0.2.128/25", "192.0.2.128/25", 121, 25 },
		{ "::/0", "::/0", 0, 0 },
		{ "2001:db8::/32", "2001:db8::/32", 32, 32 },
		{ "2001:db8::1", "2001:db8::1/128", 128, 128 },
		{ "8000::/1", "8000::/1", 1, 1 },
		{ "::fffe:0:0/95", "::fffe:0:0/95", 95, 95 },
	};
	char buf[PREFIX_TEXT_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefix p = prefix(rows[i].text);

		CHECK_INT(p.len, rows[i].len);
		CHECK_INT(prefix_family_len(&p), rows[i].family_len);
		CHECK_TEXT(prefix_put(buf, &p), rows[i].put);
	}
}

TEST(refuses_what_is_no_prefix)
{
	static const char *const texts[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/08",
		"10.0.0.0/8/8",
		"10.0.0.0/ 8",
		"10.0.0.0/8 ",
		"10/8",
		"::/129",
		"::/",
		"::ffff:0:0/96",
		"::ffff:10.0.0.0/104",
		"fe80::%1/64",
		"10.0.0.0/255.0.0.0",
		"10.0.0.0/18446744073709551616",
		"00000000000000000000000000000000000000000000000000000000000000000000/8",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct prefix out = { .len = 77 };

		if (!CHECK_INT(prefix_read(texts[i], &out), -EINVAL) || !CHECK_INT(out.len, 77))
			test_check(false, __FILE__, __LINE__, "for \"%s\"", texts[i]);
	}
}

TEST(host_bits_are_an_error_that_names_the_mend)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.1/8", "10.0.0.0/8" },
		{ "192.0.2.129/25", "192.0.2.128/25" },
		{ "1.2.3.4/0", "0.0.0.0/0" },
		{ "2001:db8::1/64", "2001:db8::/64" },
		{ "::1/0", "::/0" },
	};
	char buf[PREFIX_TEXT_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct prefix out = { 0 };

		CHECK_INT(prefix_read(pairs[i][0], &out), -EDOM);
		CHECK_TEXT(prefix_put(buf, &out), pairs[i][1]);
	}
}

TEST(knows_host_default_and_family)
{
	struct prefix v4 = prefix("10.0.0.0/8"), all4 = prefix("0.0.0.0/0");
	struct prefix v6 = prefix("2001:db8::/32"), all6 = prefix("::/0");
	struct addr a = addr("10.0.0.1");
	struct prefix host = prefix_host(&a);

	CHECK(prefix_is_v4(&v4) && prefix_is_v4(&all4) && prefix_is_v4(&host));
	CHECK(!prefix_is_v4(&v6) && !prefix_is_v4(&all6));
	CHECK(prefix_is_default(&all4) && prefix_is_default(&all6));
	CHECK(!prefix_is_default(&v4) && !prefix_is_default(&v6) && !prefix_is_default(&host));
	CHECK(prefix_is_host(&host) && !prefix_is_host(&v4));
	CHECK(addr_is_equal(&host.addr, &a));
}

TEST(contains_only_its_own_family)
{
	static const struct {
		const char *outer, *inner;
		bool want;
	} rows[] = {
		/* clang-format off */
		{ "10.0.0.0/8", "10.1.0.0/16", true },
		{ "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.1.0.0/16", "10.0.0.0/8", false },
		{ "10.0.0.0/16", "10.0.0.0/8", false },
		{ "10.0.0.0/8", "11.0.0.0/8", false },
		{ "10.0.0.0/9", "10.128.0.0/9", false },
		{ "0.0.0.0/0", "10.0.0.0/8", true },
		{ "::/0", "2001:db8::/32", true },
		{ "::/0", "10.0.0.0/8", false },
		{ "::/0", "0.0.0.0/0", false },
		{ "::fffe:0:0/95", "10.0.0.0/8", false },
		{ "0.0.0.0/0", "::/0", false },
		{ "0.0.0.0/0", "::1/128", false },
		/* clang-format on */
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefix outer = prefix(rows[i].outer), inner = prefix(rows[i].inner);

		if (!CHECK_INT(prefix_contains(&outer, &inner), rows[i].want))
			test_check(false, __FILE__, __LINE__, "%s in %s", rows[i].inner,
				   rows[i].outer);
	}
}

TEST(has_the_addresses_between_its_ends)
{
	struct prefix p = prefix("192.0.2.64/26"), all6 = prefix("::/0");
	struct addr below = addr("192.0.2.63"), first = addr("192.0.2.64");
	struct addr last = addr("192.0.2.127"), above = addr("192.0.2.128");

	CHECK(!prefix_has_addr(&p, &below));
	CHECK(prefix_has_addr(&p, &first));
	CHECK(prefix_has_addr(&p, &last));
	CHECK(!prefix_has_addr(&p, &above));
	CHECK(!prefix_has_addr(&all6, &first));
}

TEST(orders_by_address_then_shorter_first)
{
	struct prefix wide = prefix("10.0.0.0/8"), narrow = prefix("10.0.0.0/16");
	struct prefix later = prefix("10.1.0.0/16");

	CHECK(prefix_compare(&wide, &narrow) < 0);
	CHECK(prefix_compare(&narrow, &wide) > 0);
	CHECK(prefix_compare(&narrow, &later) < 0);
	CHECK_INT(prefix_compare(&wide, &wide), 0);
	CHECK(prefix_is_equal(&wide, &wide));
	CHECK(!prefix_is_equal(&wide, &narrow));
}

/* For each length: bit by bit, as slowly as it can be done. */
TEST(a_prefix_around_an_address_has_its_first_bits)
{
	struct addr addr;
	unsigned int len, bit;

	memset(addr.bytes, 0xff, sizeof(addr.bytes));
	for (len = 0; len <= 128; len++) {
		struct prefix around = prefix_around(&addr, (uint8_t)len);

		CHECK_INT(around.len, len);
		for (bit = 0; bit < 128; bit++)
			CHECK_INT(around.addr.bytes[bit / 8] >> (7 - bit % 8) & 1, bit < len);
	}
}

TEST(a_prefix_is_the_range_of_its_ends)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.0/8", "10.0.0.0-10.255.255.255" },
		{ "0.0.0.0/0", "0.0.0.0-255.255.255.255" },
		{ "192.0.2.1/32", "192.0.2.1" },
		{ "2001:db8::/127", "2001:db8::-2001:db8::1" },
		{ "::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	char buf[RANGE_TEXT_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct prefix p = prefix(pairs[i][0]);
		struct addr_range r = prefix_range(&p);

		CHECK_TEXT(addr_range_put(buf, &r), pairs[i][1]);
	}
}

/* ---- ranges ---- */

TEST(reads_endpoints_of_both_families)
{
	static const char *const texts[] = { "192.0.2.1:51820", "[2001:db8::1]:1",
					     "255.255.255.255:65535", "[::]:51820" };
	char buf[ENDPOINT_TEXT_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct endpoint e = { 0 };

		CHECK_INT(endpoint_read(texts[i], &e), 0);
		CHECK_TEXT(endpoint_put(buf, &e), texts[i]);
	}
}

TEST(the_longest_endpoint_fits_its_buffer)
{
	static const char text[] = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
	char buf[ENDPOINT_TEXT_SIZE];
	struct endpoint e;

	REQUIRE(!endpoint_read(text, &e));
	CHECK_TEXT(endpoint_put(buf, &e), text);
	e.zone = UINT32_MAX;
	CHECK_TEXT(endpoint_put(buf, &e),
		   "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

TEST(refuses_what_is_no_endpoint)
{
	static const char *const texts[] = {
		"",
		":",
		"192.0.2.1",
		"192.0.2.1:",
		"192.0.2.1:0",
		"192.0.2.1:65536",
		"192.0.2.1:080",
		"192.0.2.1:http",
		"[192.0.2.1]:80",
		"::1:80",
		"[::1]",
		"[::1]80",
		"[::1:80",
		"::1]:80",
		"[]:80",
		"[:80",
		":80",
		"[[::1]]:80",
		"gw.example:80",
		"[::1]:80 ",
		"[::ffff:1.2.3.4]:80",
		"[fe80::1%1]:80",
		"192.0.2.1:-1",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct endpoint out = { .port = 4711 };

		if (!CHECK_INT(endpoint_read(texts[i], &out), -EINVAL) ||
		    !CHECK_INT(out.port, 4711))
			test_check(false, __FILE__, __LINE__, "for \"%s\"", texts[i]);
	}
}

TEST(endpoints_differ_by_address_port_and_zone)
{
	struct endpoint a = { .addr = addr("192.0.2.1"), .port = 1 }, b = a, c = a, d = a;

	b.port = 2;
	c.addr = addr("192.0.2.2");
	CHECK(endpoint_is_equal(&a, &a));
	CHECK(!endpoint_is_equal(&a, &b));
	CHECK(!endpoint_is_equal(&a, &c));
	d.zone = 1;
	CHECK(!endpoint_is_equal(&a, &d));
}
