// SPDX-License-Identifier: GPL-2.0-only
#include "values.h"

#include "test.h"

struct key value_key(uint8_t first)
{
	struct key key;

	for (size_t i = 0; i < KEY_SIZE; i++)
		key.bytes[i] = (uint8_t)(first + i);
	return key;
}

struct addr value_addr(const char *text)
{
	struct addr addr = { 0 };

	CHECK_INT(addr_read(text, &addr), 0);
	return addr;
}

struct state_route value_route(const char *prefix, const char *prefsrc)
{
	struct state_route route = { .table = STATE_TABLE_MAIN, .metric = TP_RT_METRIC };

	CHECK_INT(prefix_read(prefix, &route.prefix), 0);
	if (prefsrc)
		route.prefsrc = value_addr(prefsrc);
	return route;
}

void value_add_prefix(struct state_peer *peer, const char *text)
{
	struct prefix *prefix = array_add(&peer->allowed_ips);

	REQUIRE(prefix);
	CHECK_INT(prefix_read(text, prefix), 0);
}

void value_check_addr(const struct addr *got, const char *want, const char *file, int line)
{
	char text[ADDR_TEXT_SIZE];

	test_check_text(addr_put(text, got), want, file, line, "address");
}

void value_check_prefix(const struct prefix *got, const char *want, const char *file, int line)
{
	char text[PREFIX_TEXT_SIZE];

	test_check_text(prefix_put(text, got), want, file, line, "prefix");
}

void value_check_endpoint(const struct endpoint *got, const char *want, const char *file, int line)
{
	char text[ENDPOINT_TEXT_SIZE];

	test_check_text(endpoint_put(text, got), want, file, line, "endpoint");
}
