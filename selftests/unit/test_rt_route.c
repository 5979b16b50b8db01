// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_codec.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nl.h"
#include "kernel/nl_attr.h"
#include "mutate.h"
#include "test.h"
#include "values.h"

static const uint8_t v4_bytes[4] = { 192, 0, 2, 1 };
static const uint8_t v6_bytes[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t mapped_bytes[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };

TEST(adds_an_ipv4_route_in_these_bytes)
{
	/* clang-format off */
	static const uint8_t want[] = {
		60, 0, 0, 0, RTM_NEWROUTE, 0, 0x00, 0x06, 0, 0, 0, 0, 0, 0, 0, 0,
		AF_INET, 24, 0, 0, RT_TABLE_MAIN, 116, RT_SCOPE_LINK, RTN_UNICAST, 0, 0, 0, 0,
		8, 0, RTA_DST, 0, 198, 51, 100, 0,
		8, 0, RTA_OIF, 0, 7, 0, 0, 0,
		8, 0, RTA_PRIORITY, 0, 0x74, 0x28, 0x6b, 0xee,
		8, 0, RTA_PREFSRC, 0, 192, 0, 2, 1 };
	/* clang-format on */
	struct state_route route = value_route("198.51.100.0/24", "192.0.2.1");
	union nl_message buf;

	REQUIRE(rt_put_route_add(&buf, sizeof(buf), 7, &route, NLM_F_EXCL));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
}

/* What `ip route add ... mtu lock 1280` sends: RTAX_LOCK is a mask, of bit RTAX_MTU here. */
TEST(locks_the_mtu_of_a_route_in_these_bytes)
{
	/* clang-format off */
	static const uint8_t want[] = {
		20, 0, RTA_METRICS, 0x80,
		8, 0, RTAX_LOCK, 0, 1 << RTAX_MTU, 0, 0, 0,
		8, 0, RTAX_MTU, 0, 0x00, 0x05, 0, 0 };
	/* clang-format on */
	struct state_route route = value_route("2001:db8:7::/48", "2001:db8::1");
	union nl_message buf;
	uint32_t without;

	REQUIRE(rt_put_route_add(&buf, sizeof(buf), 7, &route, NLM_F_EXCL));
	without = buf.header.nlmsg_len;
	route.mtu = 1280;
	REQUIRE(rt_put_route_add(&buf, sizeof(buf), 7, &route, NLM_F_EXCL));
	CHECK_BYTES(buf.bytes + without, buf.header.nlmsg_len - without, want, sizeof(want));
	CHECK(!rt_put_route_add(&buf, without + sizeof(want) - 1, 7, &route, 0));
	CHECK(rt_put_route_add(&buf, without + sizeof(want), 7, &route, 0));
}

TEST(reads_back_the_routes_it_adds)
{
	struct state_route v6 = value_route("2001:db8:7::/48", "2001:db8::1");
	struct state_route bare = value_route("::/0", NULL);
	struct rt_route got;
	union nl_message buf;

	REQUIRE(rt_put_route_add(&buf, sizeof(buf), 7, &v6, NLM_F_REPLACE));
	CHECK_INT(buf.header.nlmsg_flags, NLM_F_CREATE | NLM_F_REPLACE);
	CHECK_INT(rt_read_route(&buf.header, &got), 0);
	CHECK_PREFIX(got.facts.prefix, "2001:db8:7::/48");
	CHECK_ADDR(got.facts.prefsrc, "2001:db8::1");
	CHECK_INT(got.facts.ifindex, 7);
	CHECK_INT(got.facts.protocol, TP_RTPROT);
	CHECK_INT(got.facts.metric, TP_RT_METRIC);
	CHECK_INT(got.facts.type, RTN_UNICAST);
	CHECK_INT(got.table, RT_TABLE_MAIN);
	CHECK_INT(got.family, AF_INET6);

	REQUIRE(rt_put_route_add(&buf, sizeof(buf), 7, &bare, NLM_F_EXCL));
	CHECK_INT(rt_read_route(&buf.header, &got), 0);
	CHECK_PREFIX(got.facts.prefix, "::/0");
	CHECK(addr_is_zero(&got.facts.prefsrc));
	CHECK_INT(got.mtu, 0);

	v6.mtu = 1280;
	REQUIRE(rt_put_route_add(&buf, sizeof(buf), 7, &v6, NLM_F_REPLACE));
	CHECK_INT(rt_read_route(&buf.header, &got), 0);
	CHECK_INT(got.mtu, 1280);
}

TEST(removes_only_routes_of_our_protocol_on_the_device)
{
	struct state_route route = value_route("198.51.100.0/24", NULL);
	const struct rtmsg *header;
	struct rt_route got;
	union nl_message buf;

	REQUIRE(rt_put_route_remove(&buf, sizeof(buf), 7, &route));
	header = mnl_nlmsg_get_payload(&buf.header);
	CHECK_INT(buf.header.nlmsg_type, RTM_DELROUTE);
	CHECK_INT(header->rtm_protocol, TP_RTPROT);
	CHECK_INT(header->rtm_scope, RT_SCOPE_NOWHERE);
	buf.header.nlmsg_type = RTM_NEWROUTE;
	CHECK_INT(rt_read_route(&buf.header, &got), 0);
	CHECK_INT(got.facts.ifindex, 7);
	CHECK_PREFIX(got.facts.prefix, "198.51.100.0/24");
	CHECK_INT(got.facts.metric, TP_RT_METRIC);
}

static struct nlmsghdr *begin_route(union nl_message *buf, uint8_t family, uint8_t len,
				    uint8_t type)
{
	struct rtmsg header = { .rtm_family = family,
				.rtm_dst_len = len,
				.rtm_table = RT_TABLE_MAIN,
				.rtm_protocol = RTPROT_STATIC,
				.rtm_type = type };

	return nl_put_header(buf, sizeof(*buf), RTM_NEWROUTE, 0, &header, sizeof(header));
}

TEST(a_route_without_destination_is_a_default_route)
{
	struct rt_route route;
	union nl_message buf;

	CHECK_INT(rt_read_route(begin_route(&buf, AF_INET, 0, RTN_UNICAST), &route), 0);
	CHECK_PREFIX(route.facts.prefix, "0.0.0.0/0");
	CHECK_INT(rt_read_route(begin_route(&buf, AF_INET6, 0, RTN_UNICAST), &route), 0);
	CHECK_PREFIX(route.facts.prefix, "::/0");
	CHECK_INT(rt_read_route(begin_route(&buf, AF_INET, 8, RTN_UNICAST), &route), -EBADMSG);
}

TEST(a_prefix_is_no_longer_than_an_address)
{
	struct rt_route route;
	union nl_message buf;
	struct nlmsghdr *msg = begin_route(&buf, AF_INET, 32, RTN_UNICAST);

	mnl_attr_put(msg, RTA_DST, 4, v4_bytes);
	CHECK_INT(rt_read_route(msg, &route), 0);
	msg = begin_route(&buf, AF_INET, 33, RTN_UNICAST);
	mnl_attr_put(msg, RTA_DST, 4, v4_bytes);
	CHECK_INT(rt_read_route(msg, &route), -EBADMSG);
	msg = begin_route(&buf, AF_INET6, 129, RTN_UNICAST);
	mnl_attr_put(msg, RTA_DST, 16, v6_bytes);
	CHECK_INT(rt_read_route(msg, &route), -EBADMSG);
}

TEST(reads_gateway_metric_and_large_table)
{
	union nl_message buf;
	struct nlmsghdr *msg = begin_route(&buf, AF_INET, 0, RTN_UNICAST);
	struct rt_route route;

	mnl_attr_put_u32(msg, RTA_TABLE, 100000);
	mnl_attr_put_u32(msg, RTA_PRIORITY, 77);
	mnl_attr_put_u32(msg, RTA_OIF, 3);
	mnl_attr_put(msg, RTA_GATEWAY, 4, v4_bytes);
	CHECK_INT(rt_read_route(msg, &route), 0);
	CHECK_INT(route.table, 100000);
	CHECK_INT(route.facts.metric, 77);
	CHECK_INT(route.facts.ifindex, 3);
	CHECK_INT(route.facts.protocol, RTPROT_STATIC);
	CHECK_ADDR(route.facts.gateway, "192.0.2.1");
}

TEST(reads_an_ipv4_route_by_way_of_an_ipv6_neighbour)
{
	struct {
		uint16_t family;
		uint8_t bytes[16];
	} via = { .family = AF_INET6 };
	union nl_message buf;
	struct nlmsghdr *msg = begin_route(&buf, AF_INET, 0, RTN_UNICAST);
	struct rt_route route;

	memcpy(via.bytes, v6_bytes, sizeof(v6_bytes));
	mnl_attr_put(msg, RTA_VIA, sizeof(via), &via);
	CHECK_INT(rt_read_route(msg, &route), 0);
	CHECK_ADDR(route.facts.gateway, "2001:db8::1");
}

TEST(blackholes_and_multipath_routes_have_no_device)
{
	struct rtnexthop hop = { .rtnh_len = sizeof(hop), .rtnh_ifindex = 3 };
	struct rt_route route;
	union nl_message buf;
	struct nlmsghdr *msg = begin_route(&buf, AF_INET6, 0, RTN_BLACKHOLE);

	mnl_attr_put_u32(msg, RTA_OIF, 1); /* "lo", as IPv6 says it */
	CHECK_INT(rt_read_route(msg, &route), 0);
	CHECK_INT(route.facts.ifindex, 0);
	CHECK_INT(route.facts.type, RTN_BLACKHOLE);

	msg = begin_route(&buf, AF_INET, 0, RTN_UNICAST);
	mnl_attr_put(msg, RTA_MULTIPATH, sizeof(hop), &hop);
	CHECK_INT(rt_read_route(msg, &route), 0);
	CHECK_INT(route.facts.ifindex, 0);
}

TEST(passes_over_routes_that_our_form_cannot_hold)
{
	union nl_message buf;
	struct nlmsghdr *msg = begin_route(&buf, AF_INET6, 96, RTN_UNICAST);
	struct rt_route route;
	struct rtmsg *header;

	mnl_attr_put(msg, RTA_DST, 16, mapped_bytes);
	CHECK_INT(rt_read_route(msg, &route), -EAFNOSUPPORT);
	CHECK_INT(rt_read_route(begin_route(&buf, AF_MPLS, 20, RTN_UNICAST), &route),
		  -EAFNOSUPPORT);

	msg = begin_route(&buf, AF_INET6, 0, RTN_UNICAST);
	header = mnl_nlmsg_get_payload(msg);
	header->rtm_flags = RTM_F_CLONED;
	CHECK_INT(rt_read_route(msg, &route), -EAFNOSUPPORT);
}

TEST(asks_for_one_address_and_reads_the_path)
{
	struct addr to = value_addr("2001:db8::1");
	const struct rtmsg *header;
	struct rt_path path;
	union nl_message buf;
	struct nlmsghdr *msg;

	REQUIRE(rt_put_route_lookup(&buf, sizeof(buf), &to));
	header = mnl_nlmsg_get_payload(&buf.header);
	CHECK_INT(header->rtm_dst_len, 128);
	CHECK_INT(header->rtm_family, AF_INET6);

	msg = begin_route(&buf, AF_INET6, 128, RTN_UNICAST);
	CHECK_INT(rt_read_path(msg, &path), -EBADMSG);
	mnl_attr_put_u32(msg, RTA_OIF, 3);
	mnl_attr_put(msg, RTA_PREFSRC, 16, v6_bytes);
	CHECK_INT(rt_read_path(msg, &path), 0);
	CHECK_INT(path.ifindex, 3);
	CHECK_ADDR(path.source, "2001:db8::1");
}

TEST(gives_up_when_a_route_has_no_room)
{
	struct state_route route = value_route("198.51.100.0/24", "192.0.2.1");
	struct addr addr = value_addr("2001:db8::1");
	union nl_message buf;

	CHECK(!rt_put_route_add(&buf, 59, 7, &route, 0));
	CHECK(rt_put_route_add(&buf, 60, 7, &route, 0));
	CHECK(!rt_put_route_lookup(&buf, 47, &addr));
	CHECK(rt_put_route_lookup(&buf, 48, &addr));
}

TEST(an_mtu_counts_only_when_it_is_locked)
{
	struct nlmsghdr *msg;
	struct nlattr *nest;
	struct rt_route got;
	union nl_message buf;

	msg = begin_route(&buf, AF_INET, 0, RTN_UNICAST);
	nest = mnl_attr_nest_start(msg, RTA_METRICS);
	mnl_attr_put_u32(msg, RTAX_LOCK, 1u << RTAX_WINDOW);
	mnl_attr_put_u32(msg, RTAX_MTU, 1280);
	mnl_attr_nest_end(msg, nest);
	CHECK_INT(rt_read_route(msg, &got), 0);
	CHECK_INT(got.mtu, 0);
}

static void read_damaged(const struct nlmsghdr *msg)
{
	struct rt_route route;
	struct rt_path path;

	rt_read_route(msg, &route);
	rt_read_path(msg, &path);
}

TEST(survives_damaged_routes)
{
	static const uint16_t via[9] = { AF_INET6 };
	struct state_route route = value_route("2001:db8:7::/48", "2001:db8::1");
	union nl_message buf;
	struct nlmsghdr *msg;

	route.mtu = 1280;
	REQUIRE(rt_put_route_add(&buf, sizeof(buf), 7, &route, 0));
	CHECK(mutate_message(&buf.header, read_damaged) > 300);

	msg = begin_route(&buf, AF_INET, 0, RTN_UNICAST);
	mnl_attr_put(msg, RTA_VIA, sizeof(via), via);
	CHECK(mutate_message(msg, read_damaged) > 300);
}
