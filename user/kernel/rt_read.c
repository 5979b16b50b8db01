// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_codec.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nl_attr.h"

/* A copy of a message's own header, if the message is of that type and long enough. */
static bool read_header(const struct nlmsghdr *msg, uint16_t type, void *out, size_t size)
{
	if (msg->nlmsg_type != type || mnl_nlmsg_get_payload_len(msg) < size)
		return false;
	memcpy(out, mnl_nlmsg_get_payload(msg), size);
	return true;
}

static void read_kind(const struct nlattr *info, struct facts_link *out)
{
	const struct nlattr *attrs[IFLA_INFO_MAX + 1];

	nl_attrs_of_nest(info, attrs, IFLA_INFO_MAX);
	nl_attr_string(attrs[IFLA_INFO_KIND], out->kind, sizeof(out->kind));
}

static void read_xdp(const struct nlattr *xdp, struct facts_xdp *out)
{
	const struct nlattr *attrs[IFLA_XDP_MAX + 1];
	uint8_t attached = XDP_ATTACHED_NONE;

	nl_attrs_of_nest(xdp, attrs, IFLA_XDP_MAX);
	nl_attr_u8(attrs[IFLA_XDP_ATTACHED], &attached);
	out->native = attached != XDP_ATTACHED_NONE && attached != XDP_ATTACHED_SKB;
	/* with one on the card and one in the driver there is no id for both */
	if (!nl_attr_u32(attrs[IFLA_XDP_PROG_ID], &out->program))
		nl_attr_u32(attrs[IFLA_XDP_DRV_PROG_ID], &out->program);
}

int rt_read_link(const struct nlmsghdr *msg, struct rt_link *out)
{
	const struct nlattr *attrs[IFLA_MAX + 1];
	struct rt_link link = { 0 };
	struct ifinfomsg header;

	if (!read_header(msg, RTM_NEWLINK, &header, sizeof(header)))
		return -EBADMSG;
	nl_attrs_of_message(msg, sizeof(header), attrs, IFLA_MAX);
	if (header.ifi_index <= 0 ||
	    !nl_attr_string(attrs[IFLA_IFNAME], link.facts.name, sizeof(link.facts.name)) ||
	    !*link.facts.name)
		return -EBADMSG;

	link.facts.ifindex = (uint32_t)header.ifi_index;
	link.facts.up = header.ifi_flags & IFF_UP;
	link.facts.loopback = header.ifi_flags & IFF_LOOPBACK;
	link.facts.ethernet = header.ifi_type == ARPHRD_ETHER;
	/* each may be missing: tunnels have no MAC, most links neither kind nor alias */
	nl_attr_u32(attrs[IFLA_MTU], &link.facts.mtu);
	nl_attr_u32(attrs[IFLA_GROUP], &link.group);
	nl_attr_bytes(attrs[IFLA_ADDRESS], link.facts.mac, sizeof(link.facts.mac));
	nl_attr_string(attrs[IFLA_IFALIAS], link.alias, sizeof(link.alias));
	read_kind(attrs[IFLA_LINKINFO], &link.facts);
	read_xdp(attrs[IFLA_XDP], &link.facts.xdp);
	/* the kernel's dev->dev.parent, which /sys/class/net/DEVICE/device shows of one namespace
	 */
	link.facts.hardware = attrs[IFLA_PARENT_DEV_NAME];

	*out = link;
	return 0;
}

static uint8_t first_bit(uint8_t family)
{
	return family == AF_INET ? ADDR_MAPPED_BITS : 0;
}

/* A prefix length of the family's form in ours; false when it is longer than an address. */
static bool read_len(uint8_t family, uint8_t len, uint8_t *out)
{
	if (len > 128 - first_bit(family))
		return false;
	*out = (uint8_t)(first_bit(family) + len);
	return true;
}

int rt_read_addr(const struct nlmsghdr *msg, struct rt_addr *out)
{
	const uint32_t unfit = IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE;
	const struct nlattr *attrs[IFA_MAX + 1];
	struct rt_addr addr = { 0 };
	struct ifaddrmsg header;
	uint32_t flags;

	if (!read_header(msg, RTM_NEWADDR, &header, sizeof(header)))
		return -EBADMSG;
	if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6)
		return -EAFNOSUPPORT;

	nl_attrs_of_message(msg, sizeof(header), attrs, IFA_MAX);
	if (!read_len(header.ifa_family, header.ifa_prefixlen, &addr.facts.len))
		return -EBADMSG;
	/* on a point-to-point link IFA_ADDRESS is the other end */
	if (!nl_attr_addr(attrs[attrs[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS], header.ifa_family,
			  &addr.facts.addr))
		return -EAFNOSUPPORT;

	flags = header.ifa_flags;
	nl_attr_u32(attrs[IFA_FLAGS], &flags); /* the header has room for the first eight only */
	/* IFA_F_TEMPORARY is IFA_F_SECONDARY, which on IPv4 is no reason against an address */
	if (header.ifa_family == AF_INET)
		flags &= ~(uint32_t)IFA_F_SECONDARY;

	addr.family = header.ifa_family;
	addr.flags = flags;
	nl_attr_u8(attrs[IFA_PROTO], &addr.protocol);
	addr.facts.ifindex = header.ifa_index;
	addr.facts.temporary = flags & unfit;
	addr.facts.link_scope = header.ifa_scope >= RT_SCOPE_LINK;
	*out = addr;
	return 0;
}

/* The next hop may be of another family: an IPv4 route by way of an IPv6 neighbour. */
static void read_gateway(const struct nlattr **attrs, uint8_t family, struct addr *out)
{
	const struct nlattr *via = attrs[RTA_VIA];
	const struct rtvia *hop;
	size_t length;

	if (nl_attr_addr(attrs[RTA_GATEWAY], family, out) || !via)
		return;

	hop = mnl_attr_get_payload(via);
	length = mnl_attr_get_payload_len(via);
	if ((length == sizeof(*hop) + 4 && hop->rtvia_family == AF_INET) ||
	    (length == sizeof(*hop) + 16 && hop->rtvia_family == AF_INET6))
		nl_addr_read(hop->rtvia_family, hop->rtvia_addr, out);
}

static int read_destination(const struct rtmsg *header, const struct nlattr *attr,
			    struct prefix *out)
{
	static const uint8_t zero[16];
	struct prefix prefix = { 0 };

	if (!read_len(header->rtm_family, header->rtm_dst_len, &prefix.len))
		return -EBADMSG;

	if (!attr && header->rtm_dst_len) /* only a default route has none */
		return -EBADMSG;
	if (attr ? !nl_attr_addr(attr, header->rtm_family, &prefix.addr)
		 : nl_addr_read(header->rtm_family, zero, &prefix.addr))
		return -EAFNOSUPPORT;

	*out = prefix;
	return 0;
}

static bool is_forwarding(const struct rtmsg *header)
{
	return header->rtm_type == RTN_UNICAST || header->rtm_type == RTN_LOCAL ||
	       header->rtm_type == RTN_BROADCAST || header->rtm_type == RTN_ANYCAST ||
	       header->rtm_type == RTN_MULTICAST;
}

/* An MTU that is not locked is the kernel's business: it forgets it when it forwards. */
static void read_mtu(const struct nlattr *metrics, uint32_t *out)
{
	const struct nlattr *attrs[RTAX_MAX + 1];
	uint32_t lock = 0;

	nl_attrs_of_nest(metrics, attrs, RTAX_MAX);
	nl_attr_u32(attrs[RTAX_LOCK], &lock);
	if (lock & (1u << RTAX_MTU))
		nl_attr_u32(attrs[RTAX_MTU], out);
}

int rt_read_route(const struct nlmsghdr *msg, struct rt_route *out)
{
	const struct nlattr *attrs[RTA_MAX + 1];
	struct rt_route route = { 0 };
	struct rtmsg header;
	int r;

	if (!read_header(msg, RTM_NEWROUTE, &header, sizeof(header)))
		return -EBADMSG;
	if ((header.rtm_family != AF_INET && header.rtm_family != AF_INET6) ||
	    header.rtm_flags & RTM_F_CLONED)
		return -EAFNOSUPPORT;

	nl_attrs_of_message(msg, sizeof(header), attrs, RTA_MAX);
	r = read_destination(&header, attrs[RTA_DST], &route.facts.prefix);
	if (r)
		return r;

	route.family = header.rtm_family;
	route.facts.protocol = header.rtm_protocol;
	route.facts.type = header.rtm_type;
	route.table = header.rtm_table;
	nl_attr_u32(attrs[RTA_TABLE], &route.table); /* the header has room for the first 256 */
	nl_attr_u32(attrs[RTA_PRIORITY], &route.facts.metric);
	nl_attr_addr(attrs[RTA_PREFSRC], header.rtm_family, &route.facts.prefsrc);
	read_gateway(attrs, header.rtm_family, &route.facts.gateway);
	read_mtu(attrs[RTA_METRICS], &route.mtu);
	/* multipath routes have none; IPv6 says of a blackhole that it is on "lo" */
	if (is_forwarding(&header))
		nl_attr_u32(attrs[RTA_OIF], &route.facts.ifindex);

	*out = route;
	return 0;
}

int rt_read_path(const struct nlmsghdr *msg, struct rt_path *out)
{
	const struct nlattr *attrs[RTA_MAX + 1];
	struct rt_path path = { 0 };
	struct rtmsg header;

	if (!read_header(msg, RTM_NEWROUTE, &header, sizeof(header)))
		return -EBADMSG;
	nl_attrs_of_message(msg, sizeof(header), attrs, RTA_MAX);
	if (!nl_attr_u32(attrs[RTA_OIF], &path.ifindex))
		return -EBADMSG;
	nl_attr_addr(attrs[RTA_PREFSRC], header.rtm_family, &path.source);
	read_gateway(attrs, header.rtm_family, &path.gateway);
	path.local = header.rtm_type == RTN_LOCAL;

	*out = path;
	return 0;
}
