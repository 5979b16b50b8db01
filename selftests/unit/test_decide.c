// SPDX-License-Identifier: GPL-2.0-only
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "model/decide.h"
#include "model/pieces.h"
#include "test.h"

#define BEGIN                                                                      \
	"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\","         \
	" \"addresses\": [\"100.80.0.1\", \"fd7a:70::1\"] } },"                    \
	"\"peers\": { \"phone\": { \"public_key\": \"@phone@\","                   \
	" \"addresses\": [\"100.80.0.10\", \"fd7a:70::10\"] } },"                  \
	"\"grants\": ["                                                            \
	" { \"src\": [\"phone\"], \"dst\": [\"10.10.30.0/24\", \"fd10:30::/64\"]," \
	"   \"ip\": [\"tcp:80-443\", \"53\", \"icmp:*\"] },"                       \
	" { \"action\": \"deny\", \"src\": [\"*\"], \"dst\": [\"10.10.30.11\"],"   \
	"   \"ip\": [\"tcp:300\"] } ],"                                            \
	"\"tests\": ["

/* Decides one test; *result is the caller's. */
static void decide(const char *test, struct fixture *f, struct decide_result *result)
{
	AUTO_FREE char *text = mem_format("%s%s ] }", BEGIN, test);
	AUTO_FREE char *lines = NULL;
	int r = fixture_policy(f, text);

	memset(result, 0, sizeof(*result));
	lines = fixture_lines(&f->problems);
	if (!test_check(!r, __FILE__, __LINE__, "%s", lines))
		return;
	r = decide_tests(f->policy, result);
	CHECK_INT(r, 0);
}

static void check_holds(const char *test, size_t assertions)
{
	struct decide_result result;
	struct fixture f;

	decide(test, &f, &result);
	CHECK_INT(result.passed, assertions);
	CHECK_INT(result.failed.count, 0);
	if (result.failed.count)
		CHECK_TEXT(result.failed.items[0].message, "");
	decide_result_free(&result);
	fixture_free(&f);
}

static void check_fails(const char *test, uint32_t grant, const char *packet, const char *message)
{
	struct decide_result result;
	struct fixture f;

	decide(test, &f, &result);
	CHECK_INT(result.failed.count, 1);
	if (result.failed.count) {
		const struct decide_failure *failure = &result.failed.items[0];

		CHECK_INT(failure->grant, grant);
		CHECK_TEXT(failure->counter_example, packet);
		CHECK_TEXT(failure->message, message);
	}
	decide_result_free(&result);
	fixture_free(&f);
}

TEST(holds_for_every_packet_of_a_range)
{
	check_holds("{ \"src\": \"phone\", \"accept\": [\"10.10.30.12:80-443\","
		    " \"[fd10:30::5]:80,443\", \"10.10.30.0/24:443\"],"
		    " \"deny\": [\"10.10.31.0/24:*\", \"10.10.30.0/24:444-65535\"] }",
		    5);
}

TEST(finds_the_one_port_that_is_denied)
{
	check_fails("{ \"src\": \"phone\", \"accept\": [\"10.10.30.0/24:80-443\"] }", 1,
		    "tcp 100.80.0.10 -> 10.10.30.11:300",
		    "\"10.10.30.0/24:80-443\" must be accepted from \"phone\", but $.grants[1] "
		    "denies tcp 100.80.0.10 -> 10.10.30.11:300");
}

TEST(finds_the_one_port_that_is_allowed)
{
	check_fails("{ \"src\": \"phone\", \"proto\": \"udp\", \"deny\": [\"10.0.0.0/8:*\"] }", 0,
		    "udp 100.80.0.10 -> 10.10.30.0:53",
		    "\"10.0.0.0/8:*\" must be denied from \"phone\", but $.grants[0] allows "
		    "udp 100.80.0.10 -> 10.10.30.0:53");
}

TEST(names_no_grant_where_none_decides)
{
	check_fails("{ \"src\": \"phone\", \"accept\": [\"10.10.31.0/24:80\"] }", DECIDE_NO_GRANT,
		    "tcp 100.80.0.10 -> 10.10.31.0:80",
		    "\"10.10.31.0/24:80\" must be accepted from \"phone\", but no grant allows "
		    "tcp 100.80.0.10 -> 10.10.31.0:80");
}

TEST(asks_all_addresses_of_the_source)
{
	check_fails("{ \"src\": \"*\", \"accept\": [\"10.10.30.12:80\"] }", DECIDE_NO_GRANT,
		    "tcp 100.80.0.1 -> 10.10.30.12:80",
		    "\"10.10.30.12:80\" must be accepted from \"*\", but no grant allows "
		    "tcp 100.80.0.1 -> 10.10.30.12:80");
}

TEST(icmp_is_asked_in_each_family_by_its_number)
{
	check_holds("{ \"src\": \"phone\", \"proto\": \"icmp\","
		    " \"accept\": [\"10.10.30.0/24\", \"fd10:30::/64\"],"
		    " \"deny\": [\"10.10.31.1\", \"fd10:31::1\"] }",
		    4);
}

TEST(protocols_without_ports_are_asked_alone)
{
	check_holds("{ \"src\": \"phone\", \"proto\": \"proto:47\", \"deny\": [\"10.10.30.1\"] }",
		    1);
}

/* ::/0 surrounds all of IPv4, which is none of its business. */
TEST(ipv6_ranges_skip_the_ipv4_hole)
{
	check_holds("{ \"src\": \"::/0\", \"deny\": [\"[::/80]:*\", \"[::/0]:22\"] }", 2);
}

TEST(lays_rows_out_with_the_outer_class_behind_the_inner)
{
	static const struct {
		const char *prefix;
		uint32_t class_id;
	} rows[] = { { "10.0.0.0/8", 2 },
		     { "10.0.0.0/24", 3 },
		     { "10.0.1.0/24", 4 },
		     { "255.255.255.255/32", 5 } };
	static const struct {
		const char *addr;
		uint32_t class_id;
	} want[] = { { "0.0.0.0", 0 },  { "10.0.0.0", 3 }, { "10.0.1.0", 4 },
		     { "10.0.2.0", 2 }, { "11.0.0.0", 0 }, { "255.255.255.255", 5 } };
	struct class_row laid[ARRAY_SIZE(rows)] = { 0 };
	struct pieces pieces = { 0 };
	char text[ADDR_TEXT_SIZE];
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		laid[i].class_id = rows[i].class_id;
		CHECK(!prefix_read(rows[i].prefix, &laid[i].prefix));
	}
	r = pieces_build(laid, ARRAY_SIZE(laid), true, &pieces);
	CHECK_INT(r, 0);
	CHECK_INT(pieces.count, ARRAY_SIZE(want));
	for (i = 0; i < pieces.count && i < ARRAY_SIZE(want); i++) {
		CHECK_TEXT(addr_put(text, &pieces.items[i].first), want[i].addr);
		CHECK_INT(pieces.items[i].class_id, want[i].class_id);
	}
	array_clear(&pieces);
}

TEST(a_row_around_the_ipv4_hole_ends_behind_it)
{
	struct class_row row = { .class_id = 2 };
	struct pieces pieces = { 0 };
	char text[ADDR_TEXT_SIZE];
	int r;

	CHECK(!prefix_read("::/80", &row.prefix));
	r = pieces_build(&row, 1, false, &pieces);
	CHECK_INT(r, 0);
	CHECK_INT(pieces.count, 2);
	if (pieces.count == 2) {
		CHECK_INT(pieces.items[0].class_id, 2);
		CHECK_TEXT(addr_put(text, &pieces.items[1].first), "::1:0:0:0");
		CHECK_INT(pieces.items[1].class_id, TP_CLASS_NONE);
	}
	array_clear(&pieces);
}
