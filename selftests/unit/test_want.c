// SPDX-License-Identifier: GPL-2.0-only
/* What golden files show badly: errors, warnings, numbers that stay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "test.h"

#define FACTS                                                   \
	"link lo index 1 mtu 65536 up loopback\n"               \
	"link eth0 index 2 mtu 1500 mac 02:00:00:00:00:02 up\n" \
	"addr eth0 10.10.30.1/24\n"                             \
	"clock 1800000000 4300000000 250\n"                     \
	"kernel-wireguard\n"

#define NODE(name, address, more) \
	"\"" name "\": { \"public_key\": \"@" name "@\", \"addresses\": [\"" address "\"]" more " }"

#define POLICY(nodes, rest) "{ \"version\": 1, \"nodes\": {" nodes "}," rest " \"grants\": [] }"

static int want(struct fixture *f, const char *policy, const char *facts, const char *node)
{
	AUTO_FREE char *lines = NULL;
	int r = fixture_policy(f, policy);

	lines = fixture_lines(&f->problems);
	if (!test_check(!r, __FILE__, __LINE__, "%s", lines))
		return r;
	return fixture_want(f, facts, node);
}

static const struct state_peer *peer_of(const struct fixture *f, const char *name)
{
	const struct state_peer *peer;

	array_for_each(peer, &f->want.tunnel.peers)
		if (!strcmp(peer->name, name))
			return peer;
	return NULL;
}

static uint32_t peer_id_of(const struct fixture *f, const char *name)
{
	const struct peer_info_row *row;

	array_for_each(row, &f->want.peer_info)
		if (!strcmp(row->info.name, name))
			return row->id;
	return 0;
}

TEST(gives_numbers_back_to_their_owners)
{
	struct fixture f;
	int r = want(&f,
		     POLICY(NODE("a", "100.80.0.1", "") "," NODE("b", "100.80.0.2", "") "," NODE(
				    "c", "100.80.0.3", "") "," NODE("d", "100.80.0.4", ""),
			    ""),
		     FACTS "peer-id @c@ 1\npeer-id @gone@ 2\npeer-id @d@ 70000\n", "a");

	CHECK_INT(r, 0);
	CHECK_INT(peer_id_of(&f, "c"), 1);
	CHECK_INT(peer_id_of(&f, "b"), 2);
	CHECK_INT(peer_id_of(&f, "d"), 3); /* 70000 is no row: the map was not believed */
	fixture_free(&f);
}

TEST(accepts_only_what_its_list_contains)
{
	struct fixture f;
	int r = want(
		&f,
		POLICY(NODE("a", "100.80.0.1", ", \"accept_routes\": [\"10.1.0.0/16\"]") "," NODE(
			       "b", "100.80.0.2",
			       ", \"advertise_routes\": [\"10.1.5.0/24\", \"10.2.0.0/24\"]"),
		       "\"auto_approvers\": { \"routes\": { \"10.0.0.0/8\": [\"b\"] } },"),
		FACTS, "a");

	CHECK_INT(r, 0);
	CHECK_INT(f.want.routes.count, 2);
	CHECK_INT(peer_of(&f, "b")->allowed_ips.count, 2);
	CHECK_INT(f.want.route_info.items[0].info.state, TP_ROUTE_ACTIVE);
	CHECK_INT(f.want.route_info.items[1].info.state, TP_ROUTE_STANDBY);
	CHECK_TEXT(f.want.route_info.items[1].info.reason, "this node does not accept it");
	fixture_free(&f);
}

TEST(warns_of_an_endpoint_that_does_not_resolve)
{
	AUTO_FREE char *lines = NULL;
	struct fixture f;
	int r = want(&f,
		     POLICY(NODE("a", "100.80.0.1", "") "," NODE(
				    "b", "100.80.0.2", ", \"endpoint\": \"b.example.org:51820\""),
			    ""),
		     FACTS "host b.example.org -\n", "a");

	CHECK_INT(r, 0);
	lines = fixture_lines(&f.warnings);
	CHECK_TEXT(lines, "$.nodes.b.endpoint: \"b.example.org\" does not resolve to an address: "
			  "b must make contact first\n");
	CHECK_INT(peer_of(&f, "b")->endpoint.port, 0);
	fixture_free(&f);
}

TEST(warns_of_a_private_key_that_is_not_the_nodes)
{
	struct fixture f;
	int r = want(&f, POLICY(NODE("a", "100.80.0.1", ""), ""), FACTS "private-key @other@\n",
		     "a");

	CHECK_INT(r, 0);
	CHECK_INT(f.warnings.count, 1);
	CHECK(!key_is_zero(&f.want.tunnel.private_key));
	fixture_free(&f);
}

TEST(fails_without_the_preshared_key)
{
	struct fixture f;
	int r = want(&f,
		     POLICY(NODE("a", "100.80.0.1", ""),
			    "\"peers\": { \"p\": { \"public_key\": \"@p@\","
			    " \"addresses\": [\"100.80.0.9\"],"
			    " \"preshared_key_file\": \"/etc/psk\" } },"),
		     FACTS, "a");

	CHECK_INT(r, -ENOKEY);
	CHECK_TEXT(f.err.text, "the preshared key of p, /etc/psk, was not read");
	CHECK(!f.want.exists);
	fixture_free(&f);
}

TEST(moves_a_route_to_the_next_advertiser_when_the_first_expires)
{
	static const char policy[] =
		POLICY(NODE("a", "100.80.0.1", ""),
		       "\"peers\": { \"p\": { \"public_key\": \"@p@\","
		       " \"addresses\": [\"100.80.0.9\"], \"advertise_routes\": [\"10.1.0.0/24\"],"
		       " \"key_expiry\": \"2027-05-14T00:00:00Z\" },"
		       "\"q\": { \"public_key\": \"@q@\", \"addresses\": [\"100.80.0.8\"],"
		       " \"advertise_routes\": [\"10.1.0.0/24\"] } },"
		       "\"auto_approvers\": { \"routes\": { \"10.1.0.0/24\": [\"p\", \"q\"] } },");
	struct fixture f;
	int r = want(&f, policy, "clock 1810252799 9 250\nkernel-wireguard\n", "a");

	CHECK_INT(r, 0);
	CHECK_INT(peer_of(&f, "p")->allowed_ips.count, 2);
	CHECK_INT(peer_of(&f, "q")->allowed_ips.count, 1);

	r = fixture_want(&f, "clock 1810252800 259 250\nkernel-wireguard\n", "a");
	CHECK_INT(r, 0);
	CHECK(!peer_of(&f, "p"));
	CHECK_INT(peer_of(&f, "q")->allowed_ips.count, 2);
	CHECK_INT(f.want.routes.count, 3); /* p's address stays, so that it is refused here */
	fixture_free(&f);
}

TEST(prefers_the_mesh_for_nothing_the_lan_holds)
{
	struct fixture f;
	int r = want(
		&f,
		POLICY(NODE("a", "100.80.0.1", "") "," NODE(
			       "b", "100.80.0.2", ", \"advertise_routes\": [\"10.10.30.64/26\"]"),
		       "\"auto_approvers\": { \"routes\": { \"10.0.0.0/8\": [\"b\"] } },"),
		FACTS, "a");

	CHECK_INT(r, 0);
	CHECK_INT(f.want.routes.count, 1);
	CHECK_INT(peer_of(&f, "b")->allowed_ips.count, 1);
	CHECK_TEXT(f.want.route_info.items[0].info.reason, "eth0 of this machine holds "
							   "10.10.30.0/24");
	fixture_free(&f);
}

TEST(keeps_its_way_open_to_those_it_can_call)
{
	struct fixture f;
	int r = want(
		&f,
		POLICY(NODE("a", "100.80.0.1", ", \"persistent_keepalive\": 20") "," NODE(
			       "b", "100.80.0.2",
			       ", \"endpoint\": \"203.0.113.1:1\"") "," NODE("c", "100.80.0.3", ""),
		       ""),
		FACTS, "a");

	CHECK_INT(r, 0);
	CHECK_INT(peer_of(&f, "b")->keepalive, 20);
	CHECK_INT(peer_of(&f, "c")->keepalive, 0);
	fixture_free(&f);
}
