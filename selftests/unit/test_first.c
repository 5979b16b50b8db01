// SPDX-License-Identifier: GPL-2.0-only
#include "model/first.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "facts_text.h"
#include "model/policy.h"
#include "report/first.h"
#include "test.h"

static const uint8_t random_bytes[FIRST_RANDOM_BYTES] = { 0x01, 0x23, 0x45, 0x67, 0x89 };

#define HOME                                                          \
	"link lo index 1 up loopback no-ethernet\n"                   \
	"link eth0 index 2 mac 02:00:00:00:00:02 up hardware\n"       \
	"link docker0 index 3 mac 02:00:00:00:00:03 kind bridge up\n" \
	"link towpath9 index 4 kind wireguard up ours no-ethernet\n"  \
	"addr lo 127.0.0.1/8\n"                                       \
	"addr eth0 192.168.7.5/24\n"                                  \
	"addr eth0 fe80::5/64 link\n"                                 \
	"addr eth0 fd10:30::5/64\n"                                   \
	"addr eth0 fd10:30::9999/64 temporary\n"                      \
	"addr docker0 172.17.0.1/16\n"                                \
	"addr towpath9 10.99.0.1/24\n"                                \
	"route 0.0.0.0/0 via 192.168.7.1 dev eth0 metric 100\n"

static int find(const char *text, const char *lan, struct first *out, struct err *err)
{
	struct facts facts;
	int r;

	CHECK_INT(facts_text_read(text, &facts), 0);
	r = first_find(&facts, lan, random_bytes, out, err);
	facts_free(&facts);
	return r;
}

static void check_prefix(const struct prefix *got, const char *want)
{
	char text[PREFIX_TEXT_SIZE];

	CHECK_TEXT(prefix_put(text, got), want);
}

static void check_addr(const struct addr *got, const char *want)
{
	char text[ADDR_TEXT_SIZE];

	CHECK_TEXT(addr_put(text, got), want);
}

TEST(the_lan_is_where_the_way_out_is)
{
	struct first first;
	struct err err;

	REQUIRE(!find(HOME, NULL, &first, &err));
	CHECK_TEXT(first.lan, "eth0");
	REQUIRE(first.routes.count == 2);
	check_prefix(&first.routes.items[0], "192.168.7.0/24");
	check_prefix(&first.routes.items[1], "fd10:30::/64");
	check_addr(&first.lan_addr, "192.168.7.5");
	first_free(&first);
}

TEST(mesh_addresses_are_of_both_families)
{
	struct first first;
	struct err err;

	REQUIRE(!find(HOME, NULL, &first, &err));
	check_addr(&first.node[0], "100.80.0.1");
	check_addr(&first.peer[0], "100.80.0.10");
	check_addr(&first.node[1], "fd01:2345:6789::1");
	check_addr(&first.peer[1], "fd01:2345:6789::10");
	first_free(&first);
}

TEST(a_mesh_prefix_in_use_is_passed_over)
{
	struct first first;
	struct err err;

	REQUIRE(!find(HOME "route 100.80.0.0/15 via 192.168.7.9 dev eth0\n"
			   "addr docker0 100.82.0.7/32\n",
		      NULL, &first, &err));
	check_addr(&first.node[0], "100.83.0.1");
	first_free(&first);

	CHECK_INT(find(HOME "route 100.64.0.0/10 via 192.168.7.9 dev eth0\n", NULL, &first, &err),
		  -EADDRNOTAVAIL);
	first_free(&first);
}

TEST(a_card_is_preferred_where_there_is_no_way_out)
{
	struct first first;
	struct err err;

	REQUIRE(!find("link br0 index 1 mac 02:00:00:00:00:01 kind bridge up\n"
		      "link eth0 index 2 mac 02:00:00:00:00:02 up hardware\n"
		      "addr br0 172.17.0.1/16\n"
		      "addr eth0 10.1.2.3/16\n",
		      NULL, &first, &err));
	CHECK_TEXT(first.lan, "eth0");
	check_prefix(&first.routes.items[0], "10.1.0.0/16");
	first_free(&first);
}

#define TWO_LANS                                                \
	"link eth0 index 1 mac 02:00:00:00:00:01 up hardware\n" \
	"link eth1 index 2 mac 02:00:00:00:00:02 up hardware\n" \
	"link eth2 index 3 mac 02:00:00:00:00:03 hardware\n"    \
	"addr eth0 10.0.0.1/24\n"                               \
	"addr eth1 198.51.100.7/24\n"                           \
	"addr eth1 fdaa::1/64\n"                                \
	"addr eth2 10.2.0.1/24\n"

TEST(two_lans_are_for_the_user_to_choose)
{
	struct first first;
	struct err err;

	CHECK_INT(find(TWO_LANS, NULL, &first, &err), -ENODEV);
	CHECK_TEXT(err.text,
		   "more than one device could be the LAN's (eth0, eth1); say: --lan DEV");
	first_free(&first);

	REQUIRE(!find(TWO_LANS, "eth1", &first, &err));
	REQUIRE(first.routes.count == 2);
	check_prefix(&first.routes.items[0], "198.51.100.0/24");
	check_prefix(&first.routes.items[1], "fdaa::/64");
	first_free(&first);
}

TEST(a_device_that_cannot_be_the_lan_is_refused)
{
	static const struct {
		const char *lan, *says;
	} rows[] = {
		{ "eth9", "there is no device eth9" },
		{ "eth2", "eth2 is no Ethernet device that is up" },
	};
	struct first first;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_INT(find(TWO_LANS, rows[i].lan, &first, &err), -ENODEV);
		CHECK_TEXT(err.text, rows[i].says);
		first_free(&first);
	}
}

TEST(public_prefixes_alone_make_no_lan)
{
	static const char text[] = "link eth0 index 1 mac 02:00:00:00:00:01 up hardware\n"
				   "addr eth0 198.51.100.7/24\n"
				   "addr eth0 2001:db8::1/64\n"
				   "route 0.0.0.0/0 via 198.51.100.1 dev eth0\n";
	struct first first;
	struct err err;

	CHECK_INT(find(text, NULL, &first, &err), -ENODEV);
	CHECK(strstr(err.text, "--lan DEV"));
	first_free(&first);
}

/* A key file's name may hold anything that a path may. */
TEST(the_text_is_a_valid_policy)
{
	struct first_text text = { .node = "gw", .peer = "phone", .key_file = "/k/a \"b\\c.key" };
	struct problems errors = { 0 };
	struct config *config = NULL;
	struct policy *policy = NULL;
	struct first first;
	struct err err;
	char *policy_text;

	text.node_key.bytes[0] = 1;
	text.peer_key.bytes[0] = 2;
	REQUIRE(!find(TWO_LANS, "eth1", &first, &err));
	text.first = &first;
	policy_text = first_policy(&text);
	REQUIRE(policy_text);
	CHECK_INT(config_read(policy_text, strlen(policy_text), &config, &errors), 0);
	REQUIRE(config);
	CHECK_TEXT(config->tunnel.private_key_file, text.key_file);
	CHECK_INT(policy_build(config, &policy, &errors), 0);
	CHECK_INT(errors.count, 0);
	policy_free(policy);
	config_free(config);
	problems_free(&errors);
	free(policy_text);
	first_free(&first);
}
