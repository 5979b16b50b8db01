// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nl.h"
#include "kernel/nl_attr.h"
#include "kernel/rt_codec.h"
#include "test.h"
#include "towpath/layout.h"

static const struct state_rule lan = { .priority = TP_RULE_LAN_PRIORITY,
				       .table = STATE_TABLE_MAIN,
				       .suppress = TP_RT_DEFAULT_IN_PARTS };
static const struct state_rule mesh6 = { .v6 = true,
					 .priority = TP_RULE_MESH_PRIORITY,
					 .table = TP_RT_TABLE,
					 .suppress = STATE_RULE_WHOLE };

/* As `ip rule add pref 32116 lookup main suppress_prefixlength 3 protocol 116` does. */
TEST(adds_a_rule_in_these_bytes)
{
	/* clang-format off */
	static const uint8_t want[] = {
		60, 0, 0, 0, RTM_NEWRULE, 0, 0x00, 0x06, 0, 0, 0, 0, 0, 0, 0, 0,
		AF_INET, 0, 0, 0, RT_TABLE_MAIN, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0,
		8, 0, FRA_PRIORITY, 0, 0x74, 0x7d, 0, 0,
		8, 0, FRA_TABLE, 0, 254, 0, 0, 0,
		5, 0, FRA_PROTOCOL, 0, 116, 0, 0, 0,
		8, 0, FRA_SUPPRESS_PREFIXLEN, 0, 3, 0, 0, 0 };
	/* clang-format on */
	union nl_message buf;

	REQUIRE(rt_put_rule_add(&buf, sizeof(buf), &lan));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
	CHECK(!rt_put_rule_add(&buf, sizeof(want) - 1, &lan));
}

static void check_reads_back(const struct state_rule *rule)
{
	struct state_rule got;
	union nl_message buf;

	REQUIRE(rt_put_rule_add(&buf, sizeof(buf), rule));
	CHECK_INT(rt_read_rule(&buf.header, &got), 0);
	CHECK_INT(got.v6, rule->v6);
	CHECK_INT(got.priority, rule->priority);
	CHECK_INT(got.table, rule->table);
	CHECK_INT(got.suppress, rule->suppress);
	REQUIRE(rt_put_rule_remove(&buf, sizeof(buf), rule));
	CHECK_INT(buf.header.nlmsg_type, RTM_DELRULE);
}

TEST(reads_back_the_rules_it_adds)
{
	check_reads_back(&lan);
	check_reads_back(&mesh6);
}

static int read_with(uint8_t action, uint8_t protocol, uint16_t attribute)
{
	struct fib_rule_hdr header = { .family = AF_INET6, .action = action };
	struct state_rule got;
	union nl_message buf;
	struct nlmsghdr *msg =
		nl_put_header(&buf, sizeof(buf), RTM_NEWRULE, 0, &header, sizeof(header));

	mnl_attr_put_u8(msg, FRA_PROTOCOL, protocol);
	if (attribute)
		mnl_attr_put_u32(msg, attribute, 1);
	return rt_read_rule(msg, &got);
}

TEST(rules_of_others_are_not_ours)
{
	CHECK_INT(read_with(FR_ACT_TO_TBL, TP_RTPROT, 0), 0);
	CHECK_INT(read_with(FR_ACT_TO_TBL, RTPROT_KERNEL, 0), -ENOENT);
	CHECK_INT(read_with(FR_ACT_UNREACHABLE, TP_RTPROT, 0), -ENOENT);
	CHECK_INT(read_with(FR_ACT_TO_TBL, TP_RTPROT, FRA_FWMARK), -ENOENT);
	CHECK_INT(read_with(FR_ACT_TO_TBL, TP_RTPROT, FRA_IIFNAME), -ENOENT);
}

static int read_table(const struct fib_rule_hdr *header, uint32_t table, bool l3mdev,
		      struct rt_table *got)
{
	union nl_message buf;
	struct nlmsghdr *msg =
		nl_put_header(&buf, sizeof(buf), RTM_NEWRULE, 0, header, sizeof(*header));

	mnl_attr_put_u32(msg, FRA_PRIORITY, 32765);
	mnl_attr_put_u32(msg, FRA_FWMARK, 7); /* only some packets: all the same */
	if (table)
		mnl_attr_put_u32(msg, FRA_TABLE, table);
	if (l3mdev)
		mnl_attr_put_u8(msg, FRA_L3MDEV, 1);
	return rt_read_table(msg, got);
}

TEST(reads_which_table_a_rule_of_others_leads_to)
{
	struct fib_rule_hdr header = { .family = AF_INET6, .table = 200, .action = FR_ACT_TO_TBL };
	struct rt_table got;

	CHECK_INT(read_table(&header, 0, false, &got), 0);
	CHECK_INT(got.family, AF_INET6);
	CHECK_INT(got.id, 200);
	CHECK_INT(got.priority, 32765);
	CHECK_INT(read_table(&header, 51820, false, &got), 0);
	CHECK_INT(got.id, 51820);
	CHECK_INT(read_table(&header, 0, true, &got), -ENOENT);
	header.action = FR_ACT_BLACKHOLE;
	CHECK_INT(read_table(&header, 0, false, &got), -ENOENT);
}

TEST(refuses_what_is_no_rule)
{
	struct state_rule got;
	union nl_message buf;

	REQUIRE(rt_put_rule_add(&buf, sizeof(buf), &lan));
	buf.header.nlmsg_type = RTM_NEWROUTE;
	CHECK_INT(rt_read_rule(&buf.header, &got), -EBADMSG);
	buf.header.nlmsg_type = RTM_NEWRULE;
	buf.header.nlmsg_len = NLMSG_HDRLEN + sizeof(struct fib_rule_hdr) - 1;
	CHECK_INT(rt_read_rule(&buf.header, &got), -EBADMSG);
	REQUIRE(rt_put_rule_add(&buf, sizeof(buf), &lan));
	((struct fib_rule_hdr *)mnl_nlmsg_get_payload(&buf.header))->family = AF_BRIDGE;
	CHECK_INT(rt_read_rule(&buf.header, &got), -EAFNOSUPPORT);
}
