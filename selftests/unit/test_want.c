// SPDX-License-Identifier: GPL-2.0-only
/* What golden files show badly: errors, warnings, numbers that stay. */
#include <errno.h>
#include <stdio.h>
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
	CHECK_INT(peer_id_of(&f, "b"), 3); /* the row of who goes is its mark until it is gone */
	CHECK_INT(peer_id_of(&f, "d"), 4); /* 70000 is no row: the map was not believed */
	fixture_free(&f);
}

#define SERVICE(name, vip, backend)                                              \
	"\"" name "\": { \"vip\": \"" vip "\", \"backends\": [\"" backend "\"]," \
	"         \"ports\": [{ \"port\": 80, \"protocol\": \"tcp\" }] }"

static uint32_t service_id_of(const struct fixture *f, const char *name)
{
	const struct backends_row *row;

	array_for_each(row, &f->want.socket_lb.backends)
		if (!strcmp(row->backends.name, name))
			return row->id;
	return 0;
}

/* All rows are taken, by services that go, but one or none. */
static void check_last_row(uint32_t taken, uint32_t id, uint32_t id6)
{
	struct fixture f;
	char *facts = NULL;
	size_t size;
	FILE *out = open_memstream(&facts, &size);
	uint32_t i;

	CHECK(out);
	fprintf(out, FACTS "cgroup 4242 /sys/fs/cgroup\n");
	for (i = 1; i <= taken; i++)
		fprintf(out, "service-id gone%u %u\n", i, i);
	CHECK(!fclose(out));
	CHECK_INT(want(&f,
		       POLICY(NODE("a", "100.80.0.1", ""),
			      "\"services\": {" SERVICE(
				      "new", "100.80.0.80",
				      "10.10.30.20") "," SERVICE("new6", "fd7a:70::80",
								 "fd10:30::20") "},"),
		       facts, "a"),
		  0);
	CHECK_INT(service_id_of(&f, "new"), id);
	CHECK_INT(service_id_of(&f, "new6"), id6);
	fixture_free(&f);
	free(facts);
}

TEST(gives_a_service_the_row_of_one_that_goes_only_when_no_other_is_free)
{
	check_last_row(TP_SERVICE_MAX - 1, TP_SERVICE_MAX, 1);
	check_last_row(TP_SERVICE_MAX, 1, 2);
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
	CHECK_INT(f.want.route_info.items[0].state, TP_ROUTE_ACTIVE);
	CHECK_INT(f.want.route_info.items[1].state, TP_ROUTE_STANDBY);
	CHECK_TEXT(state_text(&f.want, f.want.route_info.items[1].reason),
		   "this node does not accept it");
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
	CHECK_TEXT(state_text(&f.want, f.want.route_info.items[0].reason),
		   "eth0 of this machine holds "
		   "10.10.30.0/24");
	fixture_free(&f);
}

/* ---- the kernel's own routes -------------------------------------------------------------- */

/* Of every /16, nested prefixes around one address; shorter ones where they begin. */
#define NEST_COUNT     256
#define NEST_LEN_MIN   10
#define NEST_LEN_MAX   28
#define LEN_MIN_KERNEL 20
#define SALT_MESH      1
#define SALT_KERNEL    7
#define HOSTS_OF_A_NET 24

static uint32_t scramble(uint32_t value)
{
	value *= 2654435761u;
	value ^= value >> 15;
	value *= 2246822519u;
	return value ^ value >> 13;
}

static bool is_nested(unsigned int net, unsigned int len, uint32_t salt)
{
	if (len < 16 && net % (1u << (16 - len)))
		return false;
	/* short ones of the kernel's would hold back nearly all of the mesh's */
	if (salt == SALT_KERNEL && len < LEN_MIN_KERNEL)
		return false;
	return scramble(net * 64 + len + salt * 65536) % 3 == 0;
}

static void put_nested(FILE *out, unsigned int net, unsigned int len)
{
	uint32_t addr = 10u << 24 | net << 16 | (scramble(net) & 0xffff);

	addr &= ~0u << (32 - len);
	fprintf(out, "%u.%u.%u.%u/%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255,
		len);
}

static void put_nests(FILE *out, uint32_t salt, const char *before, const char *after)
{
	unsigned int net, len;

	for (net = 0; net < NEST_COUNT; net++) {
		for (len = NEST_LEN_MIN; len <= NEST_LEN_MAX; len++) {
			if (!is_nested(net, len, salt))
				continue;
			fprintf(out, "%s", before);
			put_nested(out, net, len);
			fprintf(out, "%s", after);
		}
	}
}

static char *nested_policy(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out,
		"{ \"version\": 1, \"nodes\": {" NODE(
			"a", "100.80.0.1",
			"") ","
			    "\"b\": { \"public_key\": \"@b@\", \"addresses\": [\"100.80.0.2\"],"
			    " \"advertise_routes\": [");
	put_nests(out, SALT_MESH, "\"", "\", ");
	/* the last surrounds the members' addresses */
	fprintf(out, "\"10.0.0.0/8\", \"100.80.0.0/16\"] } }, \"auto_approvers\": { \"routes\": {"
		     " \"0.0.0.0/1\": [\"b\"] } }, \"grants\": [] }");
	fclose(out);
	return text;
}

static char *nested_facts(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned int i;

	fprintf(out, "link eth0 index 2 mtu 1500 mac 02:00:00:00:00:02 up\n"
		     "clock 1800000000 4300000000 250\nkernel-wireguard\n"
		     "route 100.80.0.1/32 dev eth0\nroute 100.80.0.2/32 dev eth0\n");
	put_nests(out, SALT_KERNEL, "route ", " dev eth0\n");
	for (i = 0; i < NEST_COUNT * HOSTS_OF_A_NET; i++)
		fprintf(out, "route 10.%u.%u.%u/32 dev eth0\n", i % NEST_COUNT, i >> 8 & 255,
			scramble(i) & 255);
	fclose(out);
	return text;
}

static int longest(const struct prefix *prefix, const struct addr *addr, int len)
{
	return prefix->len > len && prefix_has_addr(prefix, addr) ? prefix->len : len;
}

/* Whether a longest-prefix match takes addr for the mesh's: among the rows of tp_routes. */
static bool is_mesh_row(const struct fixture *f, const struct addr *addr)
{
	const struct route_row *row;
	bool mesh = false;
	int len = -1;

	array_for_each(row, &f->want.tables.routes) {
		if (longest(&row->prefix, addr, len) == len)
			continue;
		len = row->prefix.len;
		mesh = row->route.kind == TP_ROUTE_MESH;
	}
	return mesh;
}

static bool lies_in_a_kernel_route(const struct fixture *f, const struct prefix *prefix)
{
	const struct facts_route *own;

	array_for_each(own, &f->facts.routes)
		if (prefix_contains(&own->prefix, prefix))
			return true;
	return false;
}

/* And among all routes of the kernel, of ours those alone that take nothing from its own. */
static bool is_mesh_route(const struct fixture *f, const struct addr *addr)
{
	const struct facts_route *own;
	const struct policy_route *ours;
	int mesh = -1, kernel = -1;

	array_for_each(ours, &f->policy->routes)
		if (longest(&ours->prefix, addr, mesh) > mesh &&
		    !lies_in_a_kernel_route(f, &ours->prefix))
			mesh = ours->prefix.len;
	array_for_each(own, &f->facts.routes)
		kernel = longest(&own->prefix, addr, kernel);
	return mesh > kernel;
}

static struct addr nested_addr(unsigned int i)
{
	struct addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, [12] = 10 } };
	uint32_t near = scramble(i % NEST_COUNT) ^ scramble(i) >> (16 + i % 16);

	addr.bytes[13] = (uint8_t)(i % NEST_COUNT);
	addr.bytes[14] = (uint8_t)(near >> 8);
	addr.bytes[15] = (uint8_t)near;
	return addr;
}

TEST(agrees_with_the_kernel_on_every_address)
{
	AUTO_FREE char *policy = nested_policy();
	AUTO_FREE char *facts = nested_facts();
	unsigned int i, wrong = 0, mesh = 0;
	const unsigned int probes = 4000;
	struct fixture f;
	int r = want(&f, policy, facts, "a");

	REQUIRE(!r);
	for (i = 0; i < probes; i++) {
		struct addr addr = nested_addr(i);
		bool is_mesh = is_mesh_route(&f, &addr);

		mesh += is_mesh;
		wrong += is_mesh_row(&f, &addr) != is_mesh;
	}
	CHECK_INT(wrong, 0);
	CHECK(mesh > probes / 10 && mesh < probes - probes / 10);
	fixture_free(&f);
}

TEST(has_one_row_for_a_prefix)
{
	AUTO_FREE char *policy = nested_policy();
	AUTO_FREE char *facts = nested_facts();
	const struct route_row *rows;
	struct fixture f;
	size_t i;
	int r = want(&f, policy, facts, "a");

	REQUIRE(!r);
	rows = f.want.tables.routes.items;
	for (i = 1; i < f.want.tables.routes.count; i++)
		CHECK(!prefix_is_equal(&rows[i - 1].prefix, &rows[i].prefix));
	CHECK(i > NEST_COUNT);
	fixture_free(&f);
}

TEST(names_the_best_of_the_kernels_routes_that_hold_a_prefix)
{
	struct fixture f;
	int r = want(
		&f,
		POLICY(NODE("a", "100.80.0.1", "") "," NODE(
			       "b", "100.80.0.2", ", \"advertise_routes\": [\"10.20.0.0/16\"]"),
		       "\"auto_approvers\": { \"routes\": { \"10.0.0.0/8\": [\"b\"] } },"),
		FACTS "link eth1 index 3 mtu 1500 mac 02:00:00:00:00:03 up\n"
		      "route 10.20.0.0/16 dev eth0 metric 200\n"
		      "route 10.20.0.0/16 dev eth1 metric 100\n"
		      "route 10.20.0.0/16 dev eth0 metric 300\n",
		"a");

	CHECK_INT(r, 0);
	CHECK_INT(f.want.routes.count, 1);
	CHECK_TEXT(state_text(&f.want, f.want.route_info.items[0].reason),
		   "kernel route 10.20.0.0/16 dev eth1 metric 100 holds it");
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
