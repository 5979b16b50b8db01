// SPDX-License-Identifier: GPL-2.0-only
/* Policies at their limits and one beyond. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "secret/key.h"
#include "test.h"

/* head, then what put writes count times with commas between, then tail */
struct shape {
	const char *head;
	void (*put)(FILE *out, unsigned int index);
	const char *tail;
};

static char *grow(const struct shape *shape, unsigned int count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned int i;

	if (!out)
		return NULL;
	fprintf(out, "{ \"version\": 1, %s", shape->head);
	for (i = 0; i < count; i++) {
		shape->put(out, i);
		fputs(i + 1 < count ? "," : "", out);
	}
	fprintf(out, "%s }", shape->tail);
	fclose(out);
	return text;
}

/* Valid with max; with one more refused for this reason alone. */
static void check_limit(const struct shape *shape, unsigned int max, const char *place,
			const char *message)
{
	AUTO_FREE char *good = grow(shape, max);
	AUTO_FREE char *bad = grow(shape, max + 1);
	struct problems problems = { 0 };
	struct config *config = NULL;

	REQUIRE(good && bad);
	CHECK_INT(config_read(good, strlen(good), &config, &problems), 0);
	CHECK_INT(problems.count, 0);
	config_free(config);

	CHECK_INT(config_read(bad, strlen(bad), &config, &problems), -EINVAL);
	if (CHECK_INT(problems.count, 1)) {
		CHECK_TEXT(problems.items[0].place, place);
		CHECK_TEXT(problems.items[0].message, message);
	}
	problems_free(&problems);
}

static void put_peer(FILE *out, unsigned int index)
{
	char text[KEY_TEXT_SIZE];
	struct key key = { { 1 } };

	memcpy(key.bytes + 1, &index, sizeof(index));
	fprintf(out, "\"p%u\": { \"public_key\": \"%s\", \"addresses\": [\"100.80.%u.%u\"] }",
		index, key_put(text, &key), index / 256, index % 256);
}

TEST(takes_10000_peers)
{
	static const struct shape shape = { "\"peers\": {", put_peer, "}" };

	check_limit(&shape, 10000, "$.peers", "has 10001 peers; the limit is 10000");
}

static void put_grant(FILE *out, unsigned int index)
{
	(void)index;
	fputs("{ \"src\": [\"*\"], \"dst\": [\"*\"] }", out);
}

TEST(takes_4096_grants)
{
	static const struct shape shape = { "\"grants\": [", put_grant, "]" };

	check_limit(&shape, 4096, "$.grants", "has 4097 grants; the limit is 4096");
}

static void put_service(FILE *out, unsigned int index)
{
	fprintf(out,
		"\"s%u\": { \"vip\": \"100.80.%u.%u\", \"ports\": [{ \"port\": 53,"
		" \"protocol\": \"udp\" }], \"backends\": [\"10.0.0.1\"] }",
		index, index / 256, index % 256);
}

TEST(takes_1024_services)
{
	static const struct shape shape = { "\"services\": {", put_service, "}" };

	check_limit(&shape, 1024, "$.services", "has 1025 services; the limit is 1024");
}

static void put_route(FILE *out, unsigned int index)
{
	fprintf(out, "\"10.%u.%u.%u\"", index / 65536, index / 256 % 256, index % 256);
}

TEST(takes_100000_prefixes_in_the_whole_file)
{
	/* one is the node's own address */
	static const struct shape shape = {
		"\"nodes\": { \"a\": { \"addresses\": [\"100.80.0.1\"], \"public_key\":"
		" \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\", \"advertise_routes\": [",
		put_route, "] } }"
	};

	check_limit(&shape, 99999, "$.nodes.a.advertise_routes[99999]",
		    "more than 100000 addresses and prefixes in the file");
}

static void put_unknown(FILE *out, unsigned int index)
{
	fprintf(out, "\"unknown-%u\": 0", index);
}

TEST(says_that_it_stopped_after_1000_errors)
{
	static const struct shape shape = { "", put_unknown, "" };
	AUTO_FREE char *text = grow(&shape, 5000);
	struct problems problems = { 0 };
	struct config *config = NULL;

	REQUIRE(text);
	CHECK_INT(config_read(text, strlen(text), &config, &problems), -EINVAL);
	REQUIRE(CHECK_INT(problems.count, 1001));
	CHECK_TEXT(problems.items[999].message, "unknown key \"unknown-999\"");
	CHECK_TEXT(problems.items[1000].place, "$");
	CHECK_TEXT(problems.items[1000].message, "more than 1000 errors; the others are not shown");
	problems_free(&problems);
}
