// SPDX-License-Identifier: GPL-2.0-only
/* A policy's tests are put through the programs before it goes live. */
#include <errno.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_switch.h"
#include "policies.h"
#include "rows.h"
#include "test.h"

#define TESTS(list) ", \"tests\": [" list "]"
#define TEST_OF(src, proto, what, dst) \
	"{ \"src\": \"" src "\", \"proto\": \"" proto "\", \"" what "\": [\"" dst "\"] }"
#define HOLDS(src, proto, dst) TEST_OF(src, proto, "accept", dst)
#define FAILS(src, proto, dst) TEST_OF(src, proto, "deny", dst)

#define LAN4 "192.0.2.0/24"
#define LAN6 "[2001:db8:30::/64]"

#define WEB_GRANTS \
	GRANT("phone", LAN4, "tcp:80-443") ", " GRANT("phone", "2001:db8:30::/64", "tcp:80-443")
#define SCTP_GRANTS GRANT("*", "192.0.2.7", "sctp:7") ", " GRANT("*", "2001:db8:30::7", "sctp:7")
#define ANY_GRANTS  GRANT("phone", "*", "icmp:*") ", " GRANT("phone", "*", "proto:47")
#define DNS_GRANTS  GRANT("tablet", "*", "53")
#define TELNET_DENY DENY("*", "192.0.2.11", "tcp:300")

#define WEB_HOLDS  HOLDS("phone", "tcp", "192.0.2.20-192.0.2.40:80-100,443")
#define WEB6_HOLDS HOLDS("phone", "tcp", LAN6 ":80-443")
#define WEB_FAILS  FAILS("phone", "tcp", LAN4 ":1-79") ", " FAILS("*", "tcp", "192.0.2.11:300")
#define DNS_HOLDS  HOLDS("tablet", "udp", LAN4 ":53") ", " HOLDS("tablet", "udp", LAN6 ":53")
#define PING_HOLDS HOLDS("phone", "icmp", "tablet") ", " FAILS("tablet", "icmp", LAN4)
#define SCTP_HOLDS \
	HOLDS("phone", "sctp", "192.0.2.7:7") ", " FAILS("phone", "sctp", "192.0.2.7:8-9")
#define SCTP6_HOLDS HOLDS("phone", "sctp", "[2001:db8:30::7]:7")
#define NUMBERED    HOLDS("phone", "proto:47", "tablet") ", " FAILS("phone", "proto:44", "*")

#define GRANTS          WEB_GRANTS ", " DNS_GRANTS ", " ANY_GRANTS ", " SCTP_GRANTS ", " TELNET_DENY
#define ASSERTIONS_TCP  WEB_HOLDS ", " WEB6_HOLDS ", " WEB_FAILS
#define ASSERTIONS_REST DNS_HOLDS ", " PING_HOLDS ", " SCTP_HOLDS ", " SCTP6_HOLDS ", " NUMBERED
/* Every kind of assertion, in both families. */
#define TESTED POLICY(NO_SNAT, GRANTS, TESTS(ASSERTIONS_TCP ", " ASSERTIONS_REST))

static bool has_probe(const struct tables *tables, uint8_t proto, bool v4)
{
	const struct probe *probe;

	array_for_each(probe, &tables->probes)
		if (probe->packet.proto == proto && addr_is_v4(&probe->packet.src) == v4)
			return true;
	return false;
}

TEST(every_kind_of_assertion_is_put_through_the_programs)
{
	static const uint8_t both[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, 47 };
	const struct tables *tables = &rig_want()->tables;
	size_t i;

	row_start(TESTED, V4);
	for (i = 0; i < ARRAY_SIZE(both); i++) {
		CHECK(has_probe(tables, both[i], true));
		CHECK(has_probe(tables, both[i], false));
	}
	CHECK(has_probe(tables, IPPROTO_ICMP, true));
	CHECK(!has_probe(tables, IPPROTO_ICMP, false));
	CHECK(has_probe(tables, IPPROTO_ICMPV6, false));
	CHECK(!has_probe(tables, IPPROTO_ICMPV6, true));
	/* in IPv6 it is the fragment header: there is no such packet */
	CHECK(has_probe(tables, IPPROTO_FRAGMENT, true));
	CHECK(!has_probe(tables, IPPROTO_FRAGMENT, false));
}

static void check_refused(const char *packet, const char *model, const char *kernel)
{
	AUTO_FREE char *text = mem_format("%s is %s, the programs say %s", packet, model, kernel);
	uint64_t generation = rig_generation();
	struct err err = {};

	CHECK_INT(bpf_stage_policy(rig_bpf(), rig_want(), &err), -EBADMSG);
	test_check(strstr(err.text, text) != NULL, __FILE__, __LINE__, "%s", err.text);
	CHECK_INT(rig_generation(), generation);
}

/* What is staged judges nothing: the live policy lets this packet through. */
static void check_still_allows(enum family family)
{
	static const struct packet packet = tcp(SYN, "phone", 1, "host", 80);
	static const struct ports none;
	uint8_t frame[FRAME_MAX];
	struct run run = {};

	rig_run(FROM_TUNNEL, frame, row_frame(FROM_TUNNEL, &packet, family, &none, frame), &run);
	CHECK_INT(run.retval, TC_ACT_REDIRECT);
}

/* The class of an address is lost on its way into the kernel. */
static void forget_class(struct tables *tables, const char *prefix)
{
	struct class_row *row;
	struct prefix wanted;

	CHECK_INT(prefix_read(prefix, &wanted), 0);
	array_for_each(row, &tables->dst)
		if (prefix_is_equal(&row->prefix, &wanted))
			row->class_id = TP_CLASS_NONE;
}

TEST(a_policy_that_the_programs_see_otherwise_does_not_go_live)
{
	row_start(TESTED, V4);
	forget_class(&rig_want()->tables, "192.0.2.0/24");
	check_refused("tcp 100.64.0.2 -> 192.0.2.20:80", "allowed by $.grants[0]",
		      "refused by no grant");
	check_still_allows(V4);
	rig_touch();

	row_start(TESTED, V6);
	forget_class(&rig_want()->tables, "2001:db8:30::/64");
	check_refused("tcp fd7a::2 -> [2001:db8:30::]:80", "allowed by $.grants[1]",
		      "refused by no grant");
	check_still_allows(V6);
	rig_touch();
}

TEST(a_lost_deny_does_not_go_live)
{
	row_start(TESTED, V4);
	memset(&rig_want()->tables.classes.items[TP_CLASS_DENY], 0, sizeof(struct tp_rule_bits));
	check_refused("tcp 10.9.0.0 -> 192.0.2.11:300", "refused by $.grants[7]",
		      "allowed by $.grants[7]");
	rig_touch();
}

/* The right verdict for another reason counts as wrong. */
TEST(another_rule_is_a_disagreement_too)
{
	struct tables *tables = &rig_want()->tables;

	row_start(POLICY(NO_SNAT, GRANT("phone", "*", "tcp:80") ", " GRANT("phone", "*", "tcp:*"),
			 TESTS(HOLDS("phone", "tcp", "tablet:80"))),
		  V4);
	REQUIRE(tables->probes.count);
	tables->probes.items[0].rule = 1;
	check_refused("tcp 100.64.0.2 -> 100.64.0.3:80", "allowed by $.grants[1]",
		      "allowed by $.grants[0]");
	rig_touch();
}
