// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_codec.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "kernel/nl_attr.h"

static struct nlmsghdr *put_link(void *buf, size_t size, uint16_t type, uint16_t flags,
				 const struct ifinfomsg *header)
{
	return nl_put_header(buf, size, type, flags, header, sizeof(*header));
}

struct nlmsghdr *rt_put_link_dump(void *buf, size_t size)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };

	return put_link(buf, size, RTM_GETLINK, 0, &header);
}

struct nlmsghdr *rt_put_link_get(void *buf, size_t size, const char *name)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *msg = put_link(buf, size, RTM_GETLINK, 0, &header);

	return msg && mnl_attr_put_strz_check(msg, size, IFLA_IFNAME, name) ? msg : NULL;
}

struct nlmsghdr *rt_put_link_add(void *buf, size_t size, const char *name, const char *kind,
				 uint32_t group)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *msg = put_link(buf, size, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header);
	struct nlattr *info;

	if (!msg || !mnl_attr_put_strz_check(msg, size, IFLA_IFNAME, name) ||
	    !mnl_attr_put_u32_check(msg, size, IFLA_GROUP, group))
		return NULL;

	info = mnl_attr_nest_start_check(msg, size, IFLA_LINKINFO);
	if (!info || !mnl_attr_put_strz_check(msg, size, IFLA_INFO_KIND, kind))
		return NULL;
	mnl_attr_nest_end(msg, info);
	return msg;
}

struct nlmsghdr *rt_put_link_change(void *buf, size_t size, uint32_t ifindex,
				    const struct rt_link_change *change)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC,
				    .ifi_index = (int)ifindex,
				    .ifi_flags = change->up ? IFF_UP : 0,
				    .ifi_change = change->up ? IFF_UP : 0 };
	struct nlmsghdr *msg = put_link(buf, size, RTM_NEWLINK, 0, &header);

	if (!msg ||
	    (change->alias && !mnl_attr_put_strz_check(msg, size, IFLA_IFALIAS, change->alias)) ||
	    (change->reset_group && !mnl_attr_put_u32_check(msg, size, IFLA_GROUP, 0)) ||
	    (change->mtu && !mnl_attr_put_u32_check(msg, size, IFLA_MTU, change->mtu)))
		return NULL;
	return msg;
}

struct nlmsghdr *rt_put_link_netns(struct nlmsghdr *msg, size_t size, int netns_fd)
{
	if (!msg || !mnl_attr_put_u32_check(msg, size, IFLA_NET_NS_FD, (uint32_t)netns_fd))
		return NULL;
	return msg;
}

struct nlmsghdr *rt_put_link_remove(void *buf, size_t size, uint32_t ifindex)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };

	return put_link(buf, size, RTM_DELLINK, 0, &header);
}

struct nlmsghdr *rt_put_addr_dump(void *buf, size_t size)
{
	struct ifaddrmsg header = { .ifa_family = AF_UNSPEC };

	return nl_put_header(buf, size, RTM_GETADDR, 0, &header, sizeof(header));
}

static struct nlmsghdr *put_addr(void *buf, size_t size, uint16_t type, uint16_t flags,
				 uint32_t ifindex, const struct addr *addr, uint8_t scope)
{
	struct prefix host = prefix_host(addr);
	struct ifaddrmsg header = { .ifa_family = (uint8_t)nl_addr_family(addr),
				    .ifa_prefixlen = prefix_family_len(&host),
				    .ifa_scope = scope,
				    .ifa_index = ifindex };
	struct nlmsghdr *msg = nl_put_header(buf, size, type, flags, &header, sizeof(header));

	if (!msg || !nl_put_addr(msg, size, IFA_LOCAL, addr) ||
	    !nl_put_addr(msg, size, IFA_ADDRESS, addr))
		return NULL;
	return msg;
}

struct nlmsghdr *rt_put_addr_add(void *buf, size_t size, uint32_t ifindex, const struct addr *addr)
{
	struct nlmsghdr *msg = put_addr(buf, size, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex,
					addr, RT_SCOPE_UNIVERSE);

	/* nobody else can have it on a tunnel, and a tentative address cannot be sent from */
	if (msg && !addr_is_v4(addr) && !mnl_attr_put_u32_check(msg, size, IFA_FLAGS, IFA_F_NODAD))
		return NULL;
	return msg;
}

struct nlmsghdr *rt_put_addr_remove(void *buf, size_t size, uint32_t ifindex,
				    const struct addr *addr)
{
	return put_addr(buf, size, RTM_DELADDR, 0, ifindex, addr, RT_SCOPE_UNIVERSE);
}

/*
 * Scope "host" keeps an IPv4 address from being chosen as a source, a preferred lifetime of 0 does
 * it in IPv6. Duplicate address detection is left on: it is the probe.
 */
struct nlmsghdr *rt_put_lan_addr_add(void *buf, size_t size, uint32_t ifindex,
				     const struct addr *addr)
{
	const struct ifa_cacheinfo lifetime = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };
	bool v4 = addr_is_v4(addr);
	struct nlmsghdr *msg = put_addr(buf, size, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex,
					addr, v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE);

	if (!msg || !mnl_attr_put_u8_check(msg, size, IFA_PROTO, TP_RTPROT))
		return NULL;
	if (v4)
		return msg;
	if (!mnl_attr_put_u32_check(msg, size, IFA_FLAGS, IFA_F_NOPREFIXROUTE) ||
	    !mnl_attr_put_check(msg, size, IFA_CACHEINFO, sizeof(lifetime), &lifetime))
		return NULL;
	return msg;
}

struct nlmsghdr *rt_put_route_dump(void *buf, size_t size, uint8_t family, uint32_t table)
{
	struct rtmsg header = { .rtm_family = family };
	struct nlmsghdr *msg = nl_put_header(buf, size, RTM_GETROUTE, 0, &header, sizeof(header));

	/* the header has room for the first 256 */
	return msg && mnl_attr_put_u32_check(msg, size, RTA_TABLE, table) ? msg : NULL;
}

static struct nlmsghdr *put_route(void *buf, size_t size, uint16_t type, uint16_t flags,
				  struct rtmsg *header, uint32_t ifindex,
				  const struct state_route *route)
{
	struct nlmsghdr *msg;

	header->rtm_family = (uint8_t)nl_addr_family(&route->prefix.addr);
	header->rtm_dst_len = prefix_family_len(&route->prefix);
	header->rtm_table = (uint8_t)route->table;
	header->rtm_protocol = TP_RTPROT;
	header->rtm_type = RTN_UNICAST;

	msg = nl_put_header(buf, size, type, flags, header, sizeof(*header));
	if (!msg || !nl_put_addr(msg, size, RTA_DST, &route->prefix.addr) ||
	    !mnl_attr_put_u32_check(msg, size, RTA_OIF, ifindex) ||
	    !mnl_attr_put_u32_check(msg, size, RTA_PRIORITY, route->metric))
		return NULL;
	return msg;
}

static bool put_mtu(struct nlmsghdr *msg, size_t size, uint32_t mtu)
{
	struct nlattr *nest = mnl_attr_nest_start_check(msg, size, RTA_METRICS);

	if (!nest || !mnl_attr_put_u32_check(msg, size, RTAX_LOCK, 1u << RTAX_MTU) ||
	    !mnl_attr_put_u32_check(msg, size, RTAX_MTU, mtu))
		return false;
	mnl_attr_nest_end(msg, nest);
	return true;
}

struct nlmsghdr *rt_put_route_add(void *buf, size_t size, uint32_t ifindex,
				  const struct state_route *route, uint16_t flags)
{
	/* no gateway: the peer is "on the link". IPv6 has no scopes of routes. */
	struct rtmsg header = { .rtm_scope = prefix_is_v4(&route->prefix) ? RT_SCOPE_LINK
									  : RT_SCOPE_UNIVERSE };
	struct nlmsghdr *msg =
		put_route(buf, size, RTM_NEWROUTE, NLM_F_CREATE | flags, &header, ifindex, route);

	if (msg && !addr_is_zero(&route->prefsrc) &&
	    !nl_put_addr(msg, size, RTA_PREFSRC, &route->prefsrc))
		return NULL;
	if (msg && route->mtu && !put_mtu(msg, size, route->mtu))
		return NULL;
	return msg;
}

struct nlmsghdr *rt_put_route_remove(void *buf, size_t size, uint32_t ifindex,
				     const struct state_route *route)
{
	struct rtmsg header = { .rtm_scope = RT_SCOPE_NOWHERE }; /* of any scope */

	return put_route(buf, size, RTM_DELROUTE, 0, &header, ifindex, route);
}

struct nlmsghdr *rt_put_route_lookup(void *buf, size_t size, const struct addr *to)
{
	struct prefix host = prefix_host(to);
	struct rtmsg header = { .rtm_family = (uint8_t)nl_addr_family(to),
				.rtm_dst_len = prefix_family_len(&host) };
	struct nlmsghdr *msg = nl_put_header(buf, size, RTM_GETROUTE, 0, &header, sizeof(header));

	return msg && nl_put_addr(msg, size, RTA_DST, to) ? msg : NULL;
}
