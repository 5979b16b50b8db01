// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <towpath/layout.h>

#include "base/mem.h"
#include "fixture.h"
#include "model/unserved.h"
#include "test.h"

/* Two nodes and two peers; what follows "peers" is the case's. */
#define MEMBERS                                                                           \
	"{ \"version\": 1, \"nodes\": {"                                                  \
	"  \"east\": { \"public_key\": \"@east@\", \"addresses\": [\"100.80.0.1\"],"      \
	"    \"tags\": [\"tag:site\"], \"advertise_routes\": [\"10.1.0.0/24\"] },"        \
	"  \"west\": { \"public_key\": \"@west@\","                                       \
	"    \"addresses\": [\"100.80.0.2\", \"fd7a:70::2\"],"                            \
	"    \"advertise_routes\": [\"10.1.0.0/25\", \"0.0.0.0/0\", \"::/0\"] } },"       \
	"\"peers\": {"                                                                    \
	"  \"phone\": { \"public_key\": \"@phone@\", \"addresses\": [\"100.80.0.10\"],"   \
	"    \"user\": \"rommel\", \"tags\": [\"tag:mobile\"] },"                         \
	"  \"tablet\": { \"public_key\": \"@tablet@\", \"addresses\": [\"fd7a:70::11\"]," \
	"    \"user\": \"ana\", \"tags\": [\"tag:mobile\"] } },"

static const struct policy_set *set_of(const struct fixture *f, const char *selector)
{
	const struct policy_set *set;

	array_for_each(set, &f->policy->sets)
		if (!strcmp(set->selector, selector))
			return set;
	return NULL;
}

/* The ranges of a set, as text. */
static void check_set(const struct fixture *f, const struct policy_set *set, const char *want)
{
	char got[1024] = "", text[RANGE_TEXT_SIZE];
	const struct addr_range *range;

	(void)f; /* keeps the calls alike */
	if (!CHECK(set))
		return;
	array_for_each(range, &set->ranges) {
		strcat(got, got[0] ? " " : "");
		strcat(got, addr_range_put(text, range));
	}
	CHECK_TEXT(got, want);
}

static void check_problems(const char *text, const char *want)
{
	AUTO_FREE char *lines = NULL;
	struct fixture f;
	int r;

	r = fixture_policy(&f, text);
	CHECK_INT(r, -EINVAL);
	CHECK(!f.policy);
	lines = fixture_lines(&f.problems);
	CHECK_TEXT(lines, want);
	fixture_free(&f);
}

TEST(resolves_every_kind_of_selector)
{
	static const char text[] = MEMBERS
		"\"groups\": { \"group:all\": [\"rommel\", \"tablet\", \"west\"] },"
		"\"hosts\": { \"lan\": \"10.1.0.0/24\" },"
		"\"grants\": [ { \"src\": [\"phone\", \"rommel\", \"tag:mobile\", \"group:all\"],"
		" \"dst\": [\"lan\", \"10.9.0.1\", \"10.9.0.5-10.9.0.7\", \"fd00::/8\"] } ] }";
	struct fixture f;
	int r = fixture_policy(&f, text);

	REQUIRE(!r);
	check_set(&f, set_of(&f, "phone"), "100.80.0.10");
	check_set(&f, set_of(&f, "rommel"), "100.80.0.10");
	check_set(&f, set_of(&f, "tag:mobile"), "100.80.0.10 fd7a:70::11");
	check_set(&f, set_of(&f, "group:all"), "100.80.0.2 100.80.0.10 fd7a:70::2 fd7a:70::11");
	check_set(&f, set_of(&f, "lan"), "10.1.0.0-10.1.0.255");
	check_set(&f, set_of(&f, "10.9.0.1"), "10.9.0.1");
	check_set(&f, set_of(&f, "10.9.0.5-10.9.0.7"), "10.9.0.5-10.9.0.7");
	fixture_free(&f);
}

TEST(any_source_has_no_default_route_and_any_destination_has)
{
	static const char text[] =
		MEMBERS "\"auto_approvers\": { \"routes\": { \"10.1.0.0/24\": [\"tag:site\"] },"
			"  \"exit_node\": [\"west\"] }, "
			"\"grants\": [ { \"src\": [\"*\"], \"dst\": [\"*\"] } ] }";
	struct fixture f;
	int r = fixture_policy(&f, text);

	REQUIRE(!r);
	check_set(&f, &f.policy->sets.items[POLICY_ANY_SRC],
		  "10.1.0.0-10.1.0.255 100.80.0.1-100.80.0.2 100.80.0.10 fd7a:70::2 fd7a:70::11");
	check_set(&f, &f.policy->sets.items[POLICY_ANY_DST],
		  "0.0.0.0-255.255.255.255 ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	fixture_free(&f);
}

/* ::/80 ends inside the IPv4 hole: what comes behind it is not joined to it. */
TEST(a_prefix_around_the_ipv4_hole_swallows_nothing_behind_it)
{
	static const char text[] =
		"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\","
		" \"addresses\": [\"fd7a:70::1\"],"
		" \"advertise_routes\": [\"::/80\", \"2001:db8::/32\"] } },"
		"\"auto_approvers\": { \"routes\": { \"::/80\": [\"a\"],"
		" \"2001:db8::/32\": [\"a\"] } },"
		"\"grants\": [ { \"src\": [\"*\"], \"dst\": [\"*\"] } ] }";
	struct fixture f;
	int r = fixture_policy(&f, text);
	const struct ranges *ranges;
	char first[ADDR_TEXT_SIZE];

	REQUIRE(!r);
	ranges = &f.policy->sets.items[POLICY_ANY_DST].ranges;
	CHECK_INT(ranges->count, 3);
	CHECK_TEXT(addr_put(first, &ranges->items[1].first), "2001:db8::");
	fixture_free(&f);
}

TEST(approves_what_an_approver_contains_and_names)
{
	static const char text[] =
		MEMBERS "\"groups\": { \"group:routers\": [\"west\"] },"
			"\"auto_approvers\": { \"routes\": {"
			"  \"10.1.0.0/24\": [\"group:routers\"], \"10.1.0.0/25\": [\"east\"] },"
			"  \"exit_node\": [\"group:routers\"] }, \"grants\": [] }";
	struct fixture f;
	int r = fixture_policy(&f, text);

	REQUIRE(!r);
	CHECK_INT(f.policy->routes.count, 4);
	CHECK(!f.policy->routes.items[0].approved); /* east's /24: its approver is a /25 */
	CHECK(f.policy->routes.items[1].approved);
	CHECK(f.policy->routes.items[2].approved); /* both default routes, by exit_node */
	CHECK(f.policy->routes.items[3].approved);
	fixture_free(&f);
}

TEST(approves_no_exit_route_without_exit_node)
{
	static const char text[] = MEMBERS "\"auto_approvers\": { \"routes\": {"
					   "  \"10.0.0.0/8\": [\"west\"] } }, \"grants\": [] }";
	struct fixture f;
	int r = fixture_policy(&f, text);

	REQUIRE(!r);
	CHECK(f.policy->routes.items[1].approved);
	CHECK(!f.policy->routes.items[2].approved);
	CHECK(!f.policy->routes.items[3].approved);
	fixture_free(&f);
}

TEST(reports_every_unknown_name_with_what_was_meant)
{
	check_problems(MEMBERS
		       "\"groups\": { \"group:g\": [\"romel\"] },"
		       "\"auto_approvers\": { \"routes\": { \"10.0.0.0/8\": [\"tag:sit\"] } },"
		       "\"grants\": [ { \"src\": [\"phne\", \"phone\"], \"dst\": [\"eest\"] },"
		       "  { \"src\": [\"tag:mobil\"], \"dst\": [\"10.1.0.1\"] } ],"
		       "\"tests\": [ { \"src\": \"tablett\", \"deny\": [\"wst:22\"] } ] }",
		       "$.groups[\"group:g\"][0]: unknown user, peer or node \"romel\"\n"
		       "$.auto_approvers.routes[\"10.0.0.0/8\"][0]: unknown node, peer, tag or "
		       "group \"tag:sit\"; did you mean \"tag:site\"?\n"
		       "$.grants[0].src[0]: unknown selector \"phne\"; did you mean \"phone\"?\n"
		       "$.grants[0].dst[0]: unknown selector \"eest\"; did you mean \"east\"?\n"
		       "$.grants[1].src[0]: unknown selector \"tag:mobil\"; did you mean "
		       "\"tag:mobile\"?\n"
		       "$.tests[0].src: unknown selector \"tablett\"; did you mean \"tablet\"?\n"
		       "$.tests[0].deny[0]: unknown selector \"wst\"; did you mean \"west\"?\n");
}

TEST(refuses_a_selector_without_an_address)
{
	check_problems(MEMBERS "\"groups\": { \"group:none\": [] },"
			       "\"grants\": [ { \"src\": [\"group:none\"], \"dst\": [\"*\"] } ] }",
		       "$.grants[0].src[0]: \"group:none\" resolves to no address\n");
}

TEST(refuses_a_route_to_a_members_address)
{
	check_problems("{ \"version\": 1, \"nodes\": {"
		       "  \"a\": { \"public_key\": \"@a@\", \"addresses\": [\"100.80.0.1\"],"
		       "    \"advertise_routes\": [\"100.80.0.2/32\"] },"
		       "  \"b\": { \"public_key\": \"@b@\", \"addresses\": [\"100.80.0.2\"] } },"
		       "\"grants\": [] }",
		       "$.nodes.a.advertise_routes[0]: is the mesh address of \"b\", "
		       "which needs no route\n");
}

#define ONE_NODE(more)                                                                     \
	"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\", \"addresses\": " \
	"[\"100.80.0.1\"]" more " } },"
#define ONE_SERVICE(vip)                                                                  \
	"\"grants\": [], \"services\": { \"dns\": { \"vip\": \"" vip "\", \"backends\": " \
	"[\"10.0.0.53\"], \"ports\": [ { \"port\": 53, \"protocol\": \"udp\" } ] } } }"

TEST(refuses_a_service_where_something_else_is)
{
	static const char advertised[] = ", \"advertise_routes\": [\"100.80.0.53/32\"]";
	AUTO_FREE char *route = mem_format(ONE_NODE("%s") ONE_SERVICE("100.80.0.53"), advertised);

	check_problems(ONE_NODE("") ONE_SERVICE("100.80.0.1"),
		       "$.services.dns: its vip is the mesh address of \"a\"\n");
	check_problems(route, "$.nodes.a.advertise_routes[0]: is the mesh address of \"dns\", "
			      "which needs no route\n");
}

TEST(refuses_a_test_that_tests_nothing)
{
	check_problems(MEMBERS "\"grants\": [],"
			       "\"tests\": [ { \"src\": \"phone\", \"deny\": [\"tablet:22\"] } ] }",
		       "$.tests[0].deny[0]: \"phone\" and \"tablet:22\" share no address family: "
		       "this tests nothing\n");
}

TEST(names_the_hub_that_is_not_there)
{
	check_problems("{ \"version\": 1, \"nodes\": {"
		       "  \"hub\": { \"public_key\": \"@a@\", \"addresses\": [\"100.80.0.1\"] },"
		       "  \"far\": { \"public_key\": \"@b@\", \"addresses\": [\"100.80.0.2\"],"
		       "    \"via\": \"hubb\" } }, \"grants\": [] }",
		       "$.nodes.far.via: unknown node \"hubb\"; did you mean \"hub\"?\n");
}

/* Text that the warnings about a policy have in them. */
static char *warnings_of(const char *text)
{
	struct problems warnings = { 0 };
	struct fixture f;
	char *lines;

	if (fixture_policy(&f, text))
		return NULL;
	CHECK_INT(policy_warnings(f.policy, &warnings), 0);
	lines = fixture_lines(&warnings);
	problems_free(&warnings);
	fixture_free(&f);
	return lines;
}

static void check_warning(const char *text, const char *want)
{
	AUTO_FREE char *lines = warnings_of(text);

	REQUIRE(lines);
	test_check(strstr(lines, want), __FILE__, __LINE__, "%s", lines);
}

TEST(warns_of_a_grant_that_never_matches)
{
	check_warning(MEMBERS "\"grants\": [ { \"src\": [\"phone\"],"
			      " \"dst\": [\"tablet\"] } ] }",
		      "$.grants[0]: its src and dst share no address family");
}

TEST(warns_of_an_extension_header_as_a_protocol)
{
	check_warning(MEMBERS "\"grants\": [ { \"src\": [\"phone\"], \"dst\": [\"*\"],"
			      " \"ip\": [\"proto:47\", \"proto:51\"] } ] }",
		      "$.grants[0]: proto:51 is an extension header in IPv6: it matches in IPv4 "
		      "alone\n");
}

/* clang-format off */
#define BACKED_SERVICE(health)							\
	MEMBERS "\"grants\": [], "						\
		"\"routes\": { \"10.10.30.0/24\": "				\
		"{ \"local_vips\": [\"10.10.30.20-10.10.30.60\"] } }, "		\
		"\"services\": { \"dns\": { \"vip\": \"100.80.0.53\", "		\
		"\"ports\": [ { \"port\": 53, \"protocol\": \"udp\" } ], "	\
		"\"backends\": [\"10.10.30.10\", \"10.10.30.60\"]" health " } } }"
#define PROBED_SERVICE BACKED_SERVICE(", \"health\": { \"probe\": \"udp:53\" }")
/* clang-format on */

TEST(warns_of_a_backend_that_this_machine_may_announce)
{
	check_warning(PROBED_SERVICE, "$.services.dns.backends[1]: 10.10.30.60 is in "
				      "$.routes[\"10.10.30.0/24\"].local_vips: while this "
				      "machine itself announces it, no probe reaches it");
}

TEST(does_not_warn_of_one_that_nobody_probes)
{
	AUTO_FREE char *lines = warnings_of(BACKED_SERVICE(""));

	REQUIRE(lines);
	test_check(!strstr(lines, "$.services"), __FILE__, __LINE__, "%s", lines);
}

TEST(finds_itself_by_name_or_key_among_nodes_only)
{
	struct fixture f;
	int r = fixture_policy(&f, MEMBERS "\"grants\": [] }");
	const struct policy_member *members;

	REQUIRE(!r);
	members = f.policy->members.items;
	CHECK(policy_find_self(f.policy, "west", NULL) == &members[1]);
	CHECK(policy_find_self(f.policy, NULL, members[0].public_key) == &members[0]);
	CHECK(!policy_find_self(f.policy, "phone", NULL));
	CHECK(!policy_find_self(f.policy, NULL, members[2].public_key));
	fixture_free(&f);
}

/* list: unserved_list or unserved_notes. */
static void check_listed(const char *text,
			 int (*list)(const struct config *config, struct problems *out),
			 const char *want)
{
	struct problems unserved = { 0 };
	AUTO_FREE char *lines = NULL;
	struct fixture f;
	int r = fixture_policy(&f, text);

	lines = fixture_lines(&f.problems);
	test_check(!r, __FILE__, __LINE__, "%s", lines);
	if (!r) {
		AUTO_FREE char *got = NULL;

		r = list(f.config, &unserved);
		CHECK_INT(r, 0);
		got = fixture_lines(&unserved);
		CHECK_TEXT(got, want);
	}
	problems_free(&unserved);
	fixture_free(&f);
}

static void check_unserved(const char *text, const char *want)
{
	check_listed(text, unserved_list, want);
}

#define UNUSED "checked, but no command of this version writes client files yet\n"

TEST(notes_what_no_command_uses_yet)
{
	check_listed(MEMBERS "\"grants\": [] }", unserved_notes, "");
	check_listed(MEMBERS "\"grants\": [], \"client\": { \"mtu\": 1280 } }", unserved_notes,
		     "$.client: " UNUSED);
}

#define SERVICE                                                                               \
	"\"grants\": [], \"services\": { \"dns\": { \"vip\": \"100.80.0.53\", \"backends\": " \
	"[\"10.0.0.53\"], \"ports\": [ { \"port\": 53, \"protocol\": \"udp\" } ]%s } }, "     \
	"\"socket_lb\": { \"foreign\": \"hide\", \"exempt\": [ { \"netns\": \"proxy\" } ] } }"

TEST(serves_services)
{
	AUTO_FREE char *plain = mem_format(MEMBERS SERVICE, "");

	check_unserved(plain, "");
	check_listed(plain, unserved_notes, "");
}

TEST(serves_a_plain_policy_whole)
{
	check_unserved(MEMBERS "\"grants\": [], \"socket_lb\": { \"mode\": \"off\" } }", "");
}

TEST(names_each_section_that_is_not_served)
{
	check_unserved("{ \"version\": 1,"
		       "\"tunnel\": { \"netns\": \"vpn\", \"mtu\": \"auto\" },"
		       "\"nodes\": { \"a\": { \"public_key\": \"@a@\","
		       "  \"addresses\": [\"100.80.0.1\"], \"xdp\": \"native\","
		       "  \"lan_to_lan\": \"judge\", \"advertise_routes\": [\"10.0.0.0/24\"] } },"
		       "\"routes\": { \"10.0.0.0/24\": { \"local\": \"prefer-mesh\" } },"
		       "\"grants\": [] }",
		       "$.tunnel.mtu: \"auto\" beside \"netns\" is not served by this version yet\n"
		       "$.routes[\"10.0.0.0/24\"].local: \"prefer-mesh\" is not served by this "
		       "version yet\n");
}

#define MEMBERS_WITH_EXPIRY                                                             \
	"{ \"version\": 1, \"nodes\": {"                                                \
	"  \"a\": { \"public_key\": \"@a@\", \"addresses\": [\"100.80.0.1\"] } },"      \
	"\"peers\": {"                                                                  \
	"  \"late\": { \"public_key\": \"@late@\", \"addresses\": [\"100.80.0.10\"],"   \
	"    \"key_expiry\": \"1970-01-01T01:23:20Z\" },"                               \
	"  \"early\": { \"public_key\": \"@early@\", \"addresses\": [\"fd7a:70::11\"]," \
	"    \"key_expiry\": \"1970-01-01T00:16:40Z\" },"                               \
	"  \"never\": { \"public_key\": \"@never@\", \"addresses\": [\"100.80.0.12\"] } },"

TEST(knows_when_the_calendar_changes_something)
{
	static const char text[] = MEMBERS_WITH_EXPIRY "\"grants\": [] }";
	struct fixture f;
	int r = fixture_policy(&f, text);

	REQUIRE(!r);
	CHECK_INT(policy_next_date(f.policy, 0), 1000);
	CHECK_INT(policy_next_date(f.policy, 999), 1000);
	/* at its second it has expired, and the next is another's */
	CHECK_INT(policy_next_date(f.policy, 1000), 5000);
	CHECK_INT(policy_next_date(f.policy, 5000), INT64_MAX);
	fixture_free(&f);
}

/* As many grants as a file may have, each on a service, are as many rules. */
TEST(a_grant_on_one_service_is_one_rule)
{
	AUTO_FREE char *text = NULL;
	struct fixture f;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int i;

	fprintf(out, MEMBERS "\"services\": { \"dns\": { \"vip\": \"100.80.0.53\","
			     " \"ports\": [ { \"port\": 53, \"protocol\": \"udp\" } ],"
			     " \"backends\": [\"10.1.0.53\"] } }, \"grants\": [");
	for (i = 0; i < TP_RULE_MAX; i++)
		fprintf(out, "{ \"src\": [\"phone\"], \"dst\": [\"dns\"] },");
	fprintf(out, "] }");
	fclose(out);

	CHECK_INT(fixture_policy(&f, text), 0);
	if (f.policy)
		CHECK_INT(f.policy->rules.count, TP_RULE_MAX);
	fixture_free(&f);
}
