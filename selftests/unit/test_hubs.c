// SPDX-License-Identifier: GPL-2.0-only
/* Who is reached through whom; golden/want/hub-spoke-* show what the nodes make of it. */
#include <errno.h>

#include "base/mem.h"
#include "fixture.h"
#include "test.h"

#define CALLABLE ", \"endpoint\": \"203.0.113.10:51820\""
#define VIA(hub) ", \"via\": \"" hub "\""

/* A policy is NODES, NODE()…, PEERS, PEER()…, END; commas at the end of a list are allowed. */
#define NODES "{ \"version\": 1, \"nodes\": {"
#define PEERS "}, \"peers\": {"
#define END   "}, \"grants\": [] }"
/* name is one hexadecimal digit, and the last one of its address */
#define NODE(name, more)                                                                   \
	"\"" name "\": { \"public_key\": \"@" name "@\", \"addresses\": [\"fd7a:70::" name \
	"\"]" more "},"
#define PEER(name, address, more) \
	"\"" name "\": { \"public_key\": \"@" name "@\", \"addresses\": [\"" address "\"]" more "},"

/* "" when it is valid; then the warnings, without the one about no grants. */
static void check_says(const char *policy, const char *want)
{
	AUTO_FREE char *lines = NULL;
	struct fixture f;
	int r = fixture_policy(&f, policy);

	if (!r)
		r = policy_warnings(f.policy, &f.warnings);
	else
		CHECK_INT(r, -EINVAL);
	lines = fixture_lines(r ? &f.problems : &f.warnings);
	CHECK_TEXT(lines, want);
	fixture_free(&f);
}

TEST(a_hub_must_be_a_node_of_the_file)
{
	check_says(NODES NODE("a", CALLABLE) NODE("b", VIA("c")) PEERS END,
		   "$.nodes.b.via: unknown node \"c\"\n");
	check_says(NODES NODE("a", CALLABLE) NODE("b", VIA("phone"))
			   PEERS PEER("phone", "100.80.0.10", "") END,
		   "$.nodes.b.via: \"phone\" is a peer, and only a node can pass packets on\n");
}

TEST(nobody_is_reached_through_itself)
{
	check_says(NODES NODE("a", CALLABLE VIA("a")) PEERS END,
		   "$.nodes.a.via: \"a\" cannot be reached through itself\n");
}

/* Each circle once, at its first node; d only leads into one. */
TEST(the_way_to_a_node_is_no_circle)
{
	static const char text[] = NODES NODE("d", CALLABLE VIA("a")) NODE("a", CALLABLE VIA("b"))
		NODE("b", CALLABLE VIA("c")) NODE("c", CALLABLE VIA("a")) PEERS END;

	check_says(text,
		   "$.nodes.a.via: the way leads in a circle, \"a\" via \"b\" via \"c\" via \"a\": "
		   "one of them must do without \"via\"\n");
}

TEST(one_of_a_spoke_and_its_hub_can_be_called)
{
	check_says(NODES NODE("a", "") NODE("b", VIA("a")) PEERS END,
		   "$.nodes.b.via: neither \"b\" nor its hub \"a\" has an endpoint, so neither can "
		   "call the other: give the hub one\n");
	check_says(NODES NODE("a", "") NODE("b", CALLABLE VIA("a")) PEERS END, "");
}

/* The names of next hops as seen from each member in turn, the first letters of their names. */
static void check_hops(const char *policy, const char *const *want)
{
	const struct policy_member *members;
	struct fixture f;
	size_t self, to;
	int r = fixture_policy(&f, policy);

	REQUIRE(!r);
	members = f.policy->members.items;
	for (self = 0; self < f.policy->config->nodes.count; self++) {
		char got[16] = "";

		for (to = 0; to < f.policy->members.count && to + 1 < sizeof(got); to++) {
			uint32_t hop = to == self ? 0
						  : policy_next_hop(f.policy, &members[self],
								    (uint32_t)to);

			got[to] = to == self ? '.' : members[hop].name[0];
		}
		CHECK_TEXT(got, want[self]);
	}
	fixture_free(&f);
}

TEST(without_hubs_all_are_direct_peers)
{
	static const char text[] = NODES NODE("a", CALLABLE) NODE("b", CALLABLE)
		PEERS PEER("x", "100.80.0.10", "") PEER("y", "fd7a:70::11", "") END;
	static const char *const want[] = { ".bxy", "a.xy" };

	check_hops(text, want);
}

/* b and c below a, d below b, e beside a; x connects to d. */
TEST(goes_up_to_a_hub_and_down_to_a_spoke)
{
	static const char text[] = NODES NODE("a", CALLABLE) NODE("b", VIA("a")) NODE("c", VIA("a"))
		NODE("d", CALLABLE VIA("b")) NODE("e", CALLABLE)
			PEERS PEER("x", "100.80.0.10", ", \"gateway\": \"d\"") END;
	static const char *const want[] = {
		".bcbeb", /* a */
		"a.adad", /* b */
		"aa.aaa", /* c */
		"bbb.bx", /* d */
		"aaaa.a", /* e */
	};

	check_hops(text, want);
}

/* y can be called itself */
TEST(a_peer_hangs_below_the_only_node_that_it_can_call)
{
	static const char text[] = NODES NODE("a", CALLABLE) NODE("b", "")
		PEERS PEER("x", "100.80.0.10", "") PEER("y", "100.80.0.11", CALLABLE) END;
	static const char *const want[] = { ".bxy", "a.ay" };

	check_hops(text, want);
}

TEST(warns_of_a_peer_that_a_spoke_may_not_reach)
{
	static const char text[] = NODES NODE("a", CALLABLE) NODE("b", CALLABLE) NODE("c", VIA("a"))
		PEERS PEER("x", "100.80.0.10", "") PEER("y", "100.80.0.11", ", \"gateway\": \"b\"")
			END;

	check_says(text, "$.peers.x: nobody can tell which node it connects to, and what is behind "
			 "a hub reaches it there alone: name the node in its \"gateway\"\n");
}

TEST(a_spoke_that_nobody_can_call_keeps_its_nat_open)
{
	static const char text[] = NODES NODE("a", CALLABLE) NODE("b", VIA("a"))
		NODE("c", VIA("a") ", \"persistent_keepalive\": 0") NODE("d", CALLABLE VIA("a"))
			PEERS END;
	static const uint16_t want[] = { 0, 25, 0, 0 };
	struct fixture f;
	int r = fixture_policy(&f, text);
	size_t i;

	REQUIRE(!r);
	for (i = 0; i < ARRAY_SIZE(want); i++)
		CHECK_INT(f.policy->members.items[i].keepalive, want[i]);
	fixture_free(&f);
}
