// SPDX-License-Identifier: GPL-2.0-only
/* Rules of policy routing: linux/fib_rules.h. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nl_attr.h"
#include "kernel/rt_codec.h"
#include "towpath/layout.h"

struct nlmsghdr *rt_put_rule_dump(void *buf, size_t size, uint8_t family)
{
	struct fib_rule_hdr header = { .family = family };

	return nl_put_header(buf, size, RTM_GETRULE, 0, &header, sizeof(header));
}

static struct nlmsghdr *put_rule(void *buf, size_t size, uint16_t type, uint16_t flags,
				 const struct state_rule *rule)
{
	struct fib_rule_hdr header = { .family = rule->v6 ? AF_INET6 : AF_INET,
				       .table = (uint8_t)rule->table,
				       .action = FR_ACT_TO_TBL };
	struct nlmsghdr *msg = nl_put_header(buf, size, type, flags, &header, sizeof(header));

	if (!msg || !mnl_attr_put_u32_check(msg, size, FRA_PRIORITY, rule->priority) ||
	    !mnl_attr_put_u32_check(msg, size, FRA_TABLE, rule->table) ||
	    !mnl_attr_put_u8_check(msg, size, FRA_PROTOCOL, TP_RTPROT))
		return NULL;
	if (rule->suppress != STATE_RULE_WHOLE &&
	    !mnl_attr_put_u32_check(msg, size, FRA_SUPPRESS_PREFIXLEN, rule->suppress))
		return NULL;
	return msg;
}

struct nlmsghdr *rt_put_rule_add(void *buf, size_t size, const struct state_rule *rule)
{
	return put_rule(buf, size, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

struct nlmsghdr *rt_put_rule_remove(void *buf, size_t size, const struct state_rule *rule)
{
	return put_rule(buf, size, RTM_DELRULE, 0, rule);
}

/* A rule of ours is for all packets; somebody may have made one with our number for some. */
static bool is_selective(const struct fib_rule_hdr *header, const struct nlattr **attrs)
{
	return header->src_len || header->dst_len || header->tos || attrs[FRA_IIFNAME] ||
	       attrs[FRA_OIFNAME] || attrs[FRA_FWMARK] || attrs[FRA_IP_PROTO] ||
	       attrs[FRA_SPORT_RANGE] || attrs[FRA_DPORT_RANGE] || attrs[FRA_UID_RANGE] ||
	       (header->flags & FIB_RULE_INVERT);
}

/* Its header, attributes and table. */
static int read_rule(const struct nlmsghdr *msg, struct fib_rule_hdr *header,
		     const struct nlattr **attrs, uint32_t *table)
{
	if (msg->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(msg) < sizeof(*header))
		return -EBADMSG;
	memcpy(header, mnl_nlmsg_get_payload(msg), sizeof(*header));
	if (header->family != AF_INET && header->family != AF_INET6)
		return -EAFNOSUPPORT;
	nl_attrs_of_message(msg, sizeof(*header), attrs, FRA_MAX);
	*table = header->table;
	nl_attr_u32(attrs[FRA_TABLE], table); /* the header has room for the first 256 */
	return header->action == FR_ACT_TO_TBL ? 0 : -ENOENT;
}

int rt_read_rule(const struct nlmsghdr *msg, struct state_rule *out)
{
	struct state_rule rule = { .suppress = STATE_RULE_WHOLE };
	const struct nlattr *attrs[FRA_MAX + 1];
	struct fib_rule_hdr header;
	uint8_t protocol = 0;
	int r = read_rule(msg, &header, attrs, &rule.table);

	if (r)
		return r;
	nl_attr_u8(attrs[FRA_PROTOCOL], &protocol);
	if (protocol != TP_RTPROT || is_selective(&header, attrs))
		return -ENOENT;
	rule.v6 = header.family == AF_INET6;
	nl_attr_u32(attrs[FRA_PRIORITY], &rule.priority);
	nl_attr_u32(attrs[FRA_SUPPRESS_PREFIXLEN], &rule.suppress);
	*out = rule;
	return 0;
}

int rt_read_table(const struct nlmsghdr *msg, struct rt_table *out)
{
	const struct nlattr *attrs[FRA_MAX + 1];
	struct rt_table table = { 0 };
	struct fib_rule_hdr header;
	int r = read_rule(msg, &header, attrs, &table.id);

	if (r)
		return r;
	if (attrs[FRA_L3MDEV])
		return -ENOENT; /* each device of a VRF has its own */
	table.family = header.family;
	nl_attr_u32(attrs[FRA_PRIORITY], &table.priority);
	*out = table;
	return 0;
}
