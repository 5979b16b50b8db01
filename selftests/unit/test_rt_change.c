// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_change.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/nl.h"
#include "kernel/nl_attr.h"
#include "test.h"
#include "towpath/layout.h"

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* What a message of that type with that header, and that attribute (0: none), tells. */
static unsigned int changes(uint16_t type, const void *header, size_t size, uint16_t attribute)
{
	union nl_message buf;
	struct nlmsghdr *msg = nl_put_header(&buf, sizeof(buf), type, 0, header, size);

	if (attribute)
		mnl_attr_put(msg, attribute, 0, NULL);
	return rt_read_change(msg);
}

static unsigned int route(uint8_t family, uint8_t table, uint8_t protocol, unsigned int flags)
{
	const struct rtmsg header = { .rtm_family = family,
				      .rtm_table = table,
				      .rtm_protocol = protocol,
				      .rtm_flags = flags };
	unsigned int change = changes(RTM_NEWROUTE, &header, sizeof(header), 0);

	CHECK_INT(changes(RTM_DELROUTE, &header, sizeof(header), 0), change);
	return change;
}

TEST(tells_our_routes_from_those_of_others)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		CHECK_INT(route(families[i], RT_TABLE_MAIN, TP_RTPROT, 0), RT_CHANGE_ROUTE);
		CHECK_INT(route(families[i], RT_TABLE_MAIN, RTPROT_STATIC, 0),
			  RT_CHANGE_FOREIGN_ROUTE);
		CHECK_INT(route(families[i], RT_TABLE_COMPAT, TP_RTPROT, 0),
			  RT_CHANGE_FOREIGN_ROUTE);
	}
}

TEST(passes_over_the_local_table_and_the_cache)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		CHECK_INT(route(families[i], RT_TABLE_LOCAL, RTPROT_KERNEL, 0), 0);
		CHECK_INT(route(families[i], RT_TABLE_MAIN, RTPROT_STATIC, RTM_F_CLONED), 0);
	}
}

TEST(hears_of_what_happens_in_our_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		CHECK_INT(route(families[i], TP_RT_TABLE, TP_RTPROT, 0), RT_CHANGE_ROUTE);
		CHECK_INT(route(families[i], TP_RT_TABLE, RTPROT_STATIC, 0), RT_CHANGE_ROUTE);
	}
}

static unsigned int rule(uint16_t type, uint8_t family, uint8_t protocol)
{
	const struct fib_rule_hdr header = { .family = family, .action = FR_ACT_TO_TBL };
	union nl_message buf;
	struct nlmsghdr *msg = nl_put_header(&buf, sizeof(buf), type, 0, &header, sizeof(header));

	mnl_attr_put_u8(msg, FRA_PROTOCOL, protocol);
	return rt_read_change(msg);
}

TEST(tells_our_rules_from_those_of_others)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		CHECK_INT(rule(RTM_NEWRULE, families[i], TP_RTPROT), RT_CHANGE_ROUTE);
		CHECK_INT(rule(RTM_DELRULE, families[i], TP_RTPROT), RT_CHANGE_ROUTE);
		CHECK_INT(rule(RTM_NEWRULE, families[i], RTPROT_KERNEL), RT_CHANGE_FOREIGN_ROUTE);
		CHECK_INT(rule(RTM_DELRULE, families[i], RTPROT_STATIC), RT_CHANGE_FOREIGN_ROUTE);
	}
}

TEST(hears_of_addresses)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct ifaddrmsg header = { .ifa_family = families[i] };

		CHECK_INT(changes(RTM_NEWADDR, &header, sizeof(header), 0), RT_CHANGE_ADDRESS);
		CHECK_INT(changes(RTM_DELADDR, &header, sizeof(header), 0), RT_CHANGE_ADDRESS);
	}
}

TEST(hears_of_links_but_not_of_bridge_ports_and_scans)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = 7 };

	CHECK_INT(changes(RTM_NEWLINK, &header, sizeof(header), 0), RT_CHANGE_LINK);
	CHECK_INT(changes(RTM_DELLINK, &header, sizeof(header), 0), RT_CHANGE_LINK);
	CHECK_INT(changes(RTM_NEWLINK, &header, sizeof(header), IFLA_WIRELESS), 0);
	header.ifi_family = AF_BRIDGE;
	CHECK_INT(changes(RTM_NEWLINK, &header, sizeof(header), 0), 0);
}

TEST(hears_of_clsact_and_its_filters_alone)
{
	static const struct {
		uint32_t parent;
		unsigned int change;
	} rows[] = {
		{ 0xfffffff1, RT_CHANGE_QDISC }, /* clsact itself */
		{ 0xfffffff2, RT_CHANGE_QDISC }, /* its ingress */
		{ 0xfffffff3, RT_CHANGE_QDISC }, /* its egress */
		{ 0xffffffff, 0 },               /* what the device sends through */
		{ 0x00010000, 0 },               /* a class of that */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tcmsg header = { .tcm_parent = rows[i].parent };

		CHECK_INT(changes(RTM_DELQDISC, &header, sizeof(header), 0), rows[i].change);
		CHECK_INT(changes(RTM_DELTFILTER, &header, sizeof(header), 0), rows[i].change);
	}
}

TEST(passes_over_what_it_does_not_know_and_what_is_cut)
{
	const struct rtmsg header = { .rtm_table = RT_TABLE_MAIN };

	CHECK_INT(changes(RTM_NEWROUTE, &header, sizeof(header) - 4, 0), 0);
	CHECK_INT(changes(NLMSG_DONE, &header, sizeof(header), 0), 0);
	CHECK_INT(changes(RTM_NEWNEIGH, &header, sizeof(header), 0), 0);
	CHECK_INT(changes(UINT16_MAX, &header, sizeof(header), 0), 0);
}
