// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_change.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/nl_attr.h"
#include "towpath/layout.h"

/* A bridge tells of its ports under its own family, a wireless card of each scan. */
static unsigned int read_link(const struct nlmsghdr *msg)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attrs[IFLA_MAX + 1];

	if (header->ifi_family != AF_UNSPEC)
		return 0;
	nl_attrs_of_message(msg, sizeof(*header), attrs, IFLA_MAX);
	return attrs[IFLA_WIRELESS] ? 0 : RT_CHANGE_LINK;
}

static unsigned int read_route(const struct nlmsghdr *msg)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(msg);

	if (header->rtm_flags & RTM_F_CLONED || header->rtm_table == RT_TABLE_LOCAL)
		return 0;
	if (header->rtm_table == TP_RT_TABLE)
		return RT_CHANGE_ROUTE;
	if (header->rtm_table != RT_TABLE_MAIN)
		return RT_CHANGE_FOREIGN_ROUTE;
	return header->rtm_protocol == TP_RTPROT ? RT_CHANGE_ROUTE : RT_CHANGE_FOREIGN_ROUTE;
}

static unsigned int read_rule(const struct nlmsghdr *msg)
{
	const struct nlattr *attrs[FRA_MAX + 1];
	uint8_t protocol;

	nl_attrs_of_message(msg, sizeof(struct fib_rule_hdr), attrs, FRA_MAX);
	return nl_attr_u8(attrs[FRA_PROTOCOL], &protocol) && protocol == TP_RTPROT
		       ? RT_CHANGE_ROUTE
		       : RT_CHANGE_FOREIGN_ROUTE;
}

/* clsact is at the same handle as the ingress qdisc; its filters have a parent of that major. */
static unsigned int read_qdisc(const struct nlmsghdr *msg)
{
	const struct tcmsg *header = mnl_nlmsg_get_payload(msg);

	if (header->tcm_parent == TC_H_ROOT) /* of the same major: what a device sends through */
		return 0;
	return TC_H_MAJ(header->tcm_parent) == TC_H_MAJ(TC_H_CLSACT) ? RT_CHANGE_QDISC : 0;
}

static const struct reader {
	size_t header_size;
	unsigned int (*read)(const struct nlmsghdr *msg); /* NULL: change, whatever it says */
	unsigned int change;
} readers[] = {
	[RTM_NEWLINK] = { sizeof(struct ifinfomsg), read_link, 0 },
	[RTM_DELLINK] = { sizeof(struct ifinfomsg), read_link, 0 },
	[RTM_NEWADDR] = { sizeof(struct ifaddrmsg), NULL, RT_CHANGE_ADDRESS },
	[RTM_DELADDR] = { sizeof(struct ifaddrmsg), NULL, RT_CHANGE_ADDRESS },
	[RTM_NEWROUTE] = { sizeof(struct rtmsg), read_route, 0 },
	[RTM_DELROUTE] = { sizeof(struct rtmsg), read_route, 0 },
	[RTM_NEWRULE] = { sizeof(struct fib_rule_hdr), read_rule, 0 },
	[RTM_DELRULE] = { sizeof(struct fib_rule_hdr), read_rule, 0 },
	[RTM_NEWQDISC] = { sizeof(struct tcmsg), read_qdisc, 0 },
	[RTM_DELQDISC] = { sizeof(struct tcmsg), read_qdisc, 0 },
	[RTM_NEWTFILTER] = { sizeof(struct tcmsg), read_qdisc, 0 },
	[RTM_DELTFILTER] = { sizeof(struct tcmsg), read_qdisc, 0 },
	[RTM_NEWNETCONF] = { 0, NULL, RT_CHANGE_SYSCTL },
	[RTM_NEWNSID] = { 0, NULL, RT_CHANGE_NETNS },
	[RTM_DELNSID] = { 0, NULL, RT_CHANGE_NETNS },
};

unsigned int rt_read_change(const struct nlmsghdr *msg)
{
	const struct reader *reader;

	if (msg->nlmsg_type >= ARRAY_SIZE(readers))
		return 0;
	reader = &readers[msg->nlmsg_type];
	if (mnl_nlmsg_get_payload_len(msg) < reader->header_size)
		return 0;
	return reader->read ? reader->read(msg) : reader->change;
}
