// SPDX-License-Identifier: GPL-2.0-only
#include "model/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "test.h"

static void add_route(struct facts *facts, const char *prefix, uint32_t ifindex, uint32_t metric)
{
	struct facts_route *route = array_add(&facts->routes);

	REQUIRE(route);
	CHECK_INT(prefix_read(prefix, &route->prefix), 0);
	route->ifindex = ifindex;
	route->metric = metric;
}

static void add_link(struct facts *facts, const char *name, uint32_t ifindex)
{
	struct facts_link *link = array_add(&facts->links);

	REQUIRE(link);
	snprintf(link->name, sizeof(link->name), "%s", name);
	link->ifindex = ifindex;
}

static uint32_t egress_of(const struct facts *facts, const char *text)
{
	const struct facts_route *route;
	struct addr addr;

	CHECK_INT(addr_read(text, &addr), 0);
	route = facts_find_route(facts, &addr);
	return route ? route->ifindex : 0;
}

TEST(the_longest_route_wins_then_the_lowest_metric)
{
	struct facts facts = { 0 };

	add_route(&facts, "0.0.0.0/0", 1, 0);
	add_route(&facts, "10.0.0.0/8", 2, 100);
	add_route(&facts, "10.0.0.0/8", 3, 50);
	add_route(&facts, "10.1.0.0/16", 4, 1000);
	add_route(&facts, "10.0.0.0/8", 5, 70);

	CHECK_INT(egress_of(&facts, "192.0.2.1"), 1);
	CHECK_INT(egress_of(&facts, "10.2.0.1"), 3);
	CHECK_INT(egress_of(&facts, "10.1.0.1"), 4);
	facts_free(&facts);
}

TEST(an_ipv6_default_route_is_none_for_ipv4)
{
	struct facts facts = { 0 };

	add_route(&facts, "::/0", 1, 0);
	CHECK_INT(egress_of(&facts, "192.0.2.1"), 0);
	CHECK_INT(egress_of(&facts, "2001:db8::1"), 1);
	facts_free(&facts);
}

TEST(links_are_found_by_name_and_number)
{
	struct facts facts = { 0 };

	add_link(&facts, "eth0", 2);
	add_link(&facts, "eth1", 7);
	CHECK(facts_find_link(&facts, "eth1") == &facts.links.items[1]);
	CHECK(!facts_find_link(&facts, "eth"));
	CHECK(facts_find_ifindex(&facts, 2) == &facts.links.items[0]);
	CHECK(!facts_find_ifindex(&facts, 3));
	facts_free(&facts);
}

TEST(facts_are_empty_and_wiped_after_free)
{
	static const struct facts empty;
	struct facts facts = { .private_key_set = true };
	struct facts_secret *secret = array_add(&facts.secrets);
	struct facts_host *host = array_add(&facts.hosts);

	REQUIRE(secret && host);
	memset(facts.private_key.bytes, 1, KEY_SIZE);
	secret->path = mem_copy_string("/etc/psk");
	host->host = mem_copy_string("gw.example");
	add_link(&facts, "eth0", 2);

	facts_free(&facts);
	CHECK_BYTES(&facts, sizeof(facts), &empty, sizeof(empty));
	facts_free(&facts);
	facts_free(NULL);
}
