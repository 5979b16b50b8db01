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

#include "kernel/nl.h"
#include "kernel/nl_attr.h"
#include "kernel/rt.h"
#include "mutate.h"
#include "test.h"
#include "values.h"

static const uint8_t v4_bytes[4] = { 192, 0, 2, 1 };
static const uint8_t v6_bytes[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t mapped_bytes[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };

/* ---- links ------------------------------------------------------------------------------- */

TEST(creates_a_device_in_these_bytes)
{
	/* clang-format off */
	static const uint8_t want[] = {
		68, 0, 0, 0, RTM_NEWLINK, 0, 0x00, 0x06, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		8, 0, IFLA_IFNAME, 0, 'w', 'g', '0', 0,
		8, 0, IFLA_GROUP, 0, 1, 0, 0x70, 0x74,
		20, 0, IFLA_LINKINFO, 0x80,
		14, 0, IFLA_INFO_KIND, 0, 'w', 'i', 'r', 'e', 'g', 'u', 'a', 'r', 'd', 0, 0, 0 };
	/* clang-format on */
	union nl_message buf;

	REQUIRE(rt_put_link_add(&buf, sizeof(buf), "wg0", "wireguard", 0x74700001));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
}

TEST(names_the_netns_of_a_device_by_a_descriptor)
{
	const struct rt_link_change nothing = { 0 };
	const struct nlattr *attrs[IFLA_MAX + 1];
	uint32_t fd = 0;
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_link_change(&buf, sizeof(buf), 7, &nothing);

	REQUIRE(rt_put_link_netns(msg, sizeof(buf), 5) == msg);
	nl_attrs_of_message(&buf.header, sizeof(struct ifinfomsg), attrs, IFLA_MAX);
	CHECK(nl_attr_u32(attrs[IFLA_NET_NS_FD], &fd));
	CHECK_INT(fd, 5);
	CHECK(!rt_put_link_netns(msg, msg->nlmsg_len + 7, 5));
	CHECK(!rt_put_link_netns(NULL, sizeof(buf), 5));
}

TEST(changes_only_what_it_is_told_to)
{
	struct rt_link_change nothing = { 0 };
	struct rt_link_change all = {
		.alias = "towpath:x", .reset_group = true, .mtu = 1420, .up = true
	};
	const struct nlattr *attrs[IFLA_MAX + 1];
	const struct ifinfomsg *header;
	uint32_t mtu = 0, group = 1;
	char alias[RT_ALIAS_SIZE];
	union nl_message buf;

	REQUIRE(rt_put_link_change(&buf, sizeof(buf), 7, &nothing));
	header = mnl_nlmsg_get_payload(&buf.header);
	CHECK_INT(buf.header.nlmsg_len, NLMSG_HDRLEN + sizeof(*header));
	CHECK_INT(header->ifi_index, 7);
	CHECK_INT(header->ifi_change, 0);

	REQUIRE(rt_put_link_change(&buf, sizeof(buf), 7, &all));
	nl_attrs_of_message(&buf.header, sizeof(*header), attrs, IFLA_MAX);
	CHECK_INT(header->ifi_change, IFF_UP);
	CHECK_INT(header->ifi_flags, IFF_UP);
	CHECK(nl_attr_u32(attrs[IFLA_MTU], &mtu) && mtu == 1420);
	CHECK(nl_attr_u32(attrs[IFLA_GROUP], &group) && group == 0);
	CHECK(nl_attr_string(attrs[IFLA_IFALIAS], alias, sizeof(alias)));
	CHECK_TEXT(alias, "towpath:x");
}

static void put_link(union nl_message *buf, const char *name, int ifindex)
{
	static const uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 };
	struct ifinfomsg header = { .ifi_index = ifindex,
				    .ifi_type = ARPHRD_ETHER,
				    .ifi_flags = IFF_UP };
	struct nlmsghdr *msg =
		nl_put_header(buf, sizeof(*buf), RTM_NEWLINK, 0, &header, sizeof(header));
	struct nlattr *info;

	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	mnl_attr_put_u32(msg, IFLA_MTU, 1500);
	mnl_attr_put_u32(msg, IFLA_GROUP, 3);
	mnl_attr_put(msg, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put_strz(msg, IFLA_IFALIAS, "towpath:blue");
	info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
	mnl_attr_nest_end(msg, info);
}

TEST(reads_a_link)
{
	static const uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 };
	struct rt_link link;
	union nl_message buf;

	put_link(&buf, "eth0", 4);
	CHECK_INT(rt_read_link(&buf.header, &link), 0);
	CHECK_TEXT(link.facts.name, "eth0");
	CHECK_TEXT(link.facts.kind, "veth");
	CHECK_TEXT(link.alias, "towpath:blue");
	CHECK_INT(link.facts.ifindex, 4);
	CHECK_INT(link.facts.mtu, 1500);
	CHECK_INT(link.group, 3);
	CHECK(link.facts.up && link.facts.ethernet && !link.facts.loopback);
	CHECK_BYTES(link.facts.mac, 6, mac, 6);
}

TEST(knows_what_has_a_card_behind_it)
{
	struct rt_link link;
	union nl_message buf;

	put_link(&buf, "eth0", 4);
	CHECK_INT(rt_read_link(&buf.header, &link), 0);
	CHECK(!link.facts.hardware);
	mnl_attr_put_strz(&buf.header, IFLA_PARENT_DEV_NAME, "virtio2");
	CHECK_INT(rt_read_link(&buf.header, &link), 0);
	CHECK(link.facts.hardware);
}

static struct facts_xdp xdp_of(uint8_t attached, uint16_t id_attr)
{
	struct rt_link link = { 0 };
	struct nlattr *xdp;
	union nl_message buf;

	put_link(&buf, "eth0", 4);
	xdp = mnl_attr_nest_start(&buf.header, IFLA_XDP);
	mnl_attr_put_u8(&buf.header, IFLA_XDP_ATTACHED, attached);
	if (id_attr)
		mnl_attr_put_u32(&buf.header, id_attr, 77);
	mnl_attr_nest_end(&buf.header, xdp);
	CHECK_INT(rt_read_link(&buf.header, &link), 0);
	return link.facts.xdp;
}

TEST(knows_the_xdp_program_of_a_link_and_who_runs_it)
{
	struct facts_xdp xdp = xdp_of(XDP_ATTACHED_NONE, 0);

	CHECK(!xdp.program && !xdp.native);
	xdp = xdp_of(XDP_ATTACHED_SKB, IFLA_XDP_PROG_ID);
	CHECK(xdp.program == 77 && !xdp.native);
	xdp = xdp_of(XDP_ATTACHED_DRV, IFLA_XDP_PROG_ID);
	CHECK(xdp.program == 77 && xdp.native);
	xdp = xdp_of(XDP_ATTACHED_HW, IFLA_XDP_PROG_ID);
	CHECK(xdp.program == 77 && xdp.native);
	xdp = xdp_of(XDP_ATTACHED_MULTI, IFLA_XDP_DRV_PROG_ID);
	CHECK(xdp.program == 77 && xdp.native);
}

TEST(only_the_alias_of_the_instance_marks_a_device_as_ours)
{
	struct rt_link link = { .alias = "towpath:blue" };

	CHECK(rt_link_is_ours(&link, "blue"));
	CHECK(!rt_link_is_ours(&link, "blu"));
	CHECK(!rt_link_is_ours(&link, "bluer"));
	link.alias[0] = '\0';
	CHECK(!rt_link_is_ours(&link, ""));
}

TEST(refuses_links_without_number_or_name)
{
	struct rt_link link = { .group = 9 };
	union nl_message buf;

	put_link(&buf, "eth0", 0);
	CHECK_INT(rt_read_link(&buf.header, &link), -EBADMSG);
	put_link(&buf, "", 4);
	CHECK_INT(rt_read_link(&buf.header, &link), -EBADMSG);
	put_link(&buf, "a-name-of-16-chr", 4);
	CHECK_INT(rt_read_link(&buf.header, &link), -EBADMSG);
	put_link(&buf, "eth0", 4);
	buf.header.nlmsg_type = RTM_DELLINK;
	CHECK_INT(rt_read_link(&buf.header, &link), -EBADMSG);
	CHECK_INT(link.group, 9);
}

/* ---- addresses --------------------------------------------------------------------------- */

static void check_addr_reads_back(const char *text, uint8_t family, uint32_t flags)
{
	struct addr addr = value_addr(text);
	const struct nlattr *attrs[IFA_MAX + 1];
	const struct ifaddrmsg *header;
	struct rt_addr got;
	union nl_message buf;
	uint32_t found = 0;

	REQUIRE(rt_put_addr_add(&buf, sizeof(buf), 5, &addr));
	CHECK_INT(rt_read_addr(&buf.header, &got), 0);
	CHECK_ADDR(got.facts.addr, text);
	CHECK_INT(got.family, family);
	CHECK_INT(got.facts.len, 128);
	CHECK_INT(got.facts.ifindex, 5);
	CHECK(!got.facts.temporary && !got.facts.link_scope);

	header = mnl_nlmsg_get_payload(&buf.header);
	CHECK_INT(header->ifa_prefixlen, family == AF_INET ? 32 : 128);
	nl_attrs_of_message(&buf.header, sizeof(*header), attrs, IFA_MAX);
	nl_attr_u32(attrs[IFA_FLAGS], &found);
	CHECK_INT(found, flags);
}

TEST(adds_host_addresses_and_skips_duplicate_detection)
{
	check_addr_reads_back("192.0.2.1", AF_INET, 0);
	check_addr_reads_back("2001:db8::1", AF_INET6, IFA_F_NODAD);
}

/* Marked, and nothing that the kernel itself would send from. */
static void check_lan_addr(const char *text, uint8_t scope)
{
	struct addr addr = value_addr(text);
	union nl_message buf;
	const struct ifaddrmsg *header;
	struct rt_addr got;

	REQUIRE(rt_put_lan_addr_add(&buf, sizeof(buf), 5, &addr));
	CHECK_INT(rt_read_addr(&buf.header, &got), 0);
	CHECK_ADDR(got.facts.addr, text);
	CHECK_INT(got.facts.len, 128);
	CHECK_INT(got.facts.ifindex, 5);
	CHECK_INT(got.protocol, TP_RTPROT);
	header = NLMSG_DATA(&buf.header);
	CHECK_INT(header->ifa_scope, scope);
	CHECK_INT(got.flags & IFA_F_NODAD, 0);
}

TEST(marks_an_address_on_a_lan)
{
	check_lan_addr("192.0.2.1", RT_SCOPE_HOST);
	check_lan_addr("2001:db8::1", RT_SCOPE_UNIVERSE);
}

TEST(an_address_without_a_mark_is_not_ours)
{
	struct addr addr = value_addr("192.0.2.1");
	struct rt_addr got;
	union nl_message buf;

	REQUIRE(rt_put_addr_add(&buf, sizeof(buf), 5, &addr));
	CHECK_INT(rt_read_addr(&buf.header, &got), 0);
	CHECK_INT(got.protocol, 0);
}

static int read_addr_with(uint8_t family, uint8_t scope, uint32_t flags, const void *bytes,
			  struct rt_addr *out)
{
	struct ifaddrmsg header = {
		.ifa_family = family, .ifa_prefixlen = 24, .ifa_scope = scope, .ifa_index = 2
	};
	union nl_message buf;
	struct nlmsghdr *msg =
		nl_put_header(&buf, sizeof(buf), RTM_NEWADDR, 0, &header, sizeof(header));

	mnl_attr_put(msg, IFA_ADDRESS, family == AF_INET ? 4 : 16, bytes);
	mnl_attr_put_u32(msg, IFA_FLAGS, flags);
	return rt_read_addr(msg, out);
}

TEST(knows_addresses_that_are_not_fit_to_send_from)
{
	struct rt_addr addr;

	CHECK_INT(read_addr_with(AF_INET6, 0, IFA_F_TEMPORARY, v6_bytes, &addr), 0);
	CHECK(addr.facts.temporary);
	CHECK_INT(read_addr_with(AF_INET6, 0, IFA_F_TENTATIVE, v6_bytes, &addr), 0);
	CHECK(addr.facts.temporary);
	CHECK_INT(read_addr_with(AF_INET, 0, IFA_F_DEPRECATED, v4_bytes, &addr), 0);
	CHECK(addr.facts.temporary);
	CHECK_INT(read_addr_with(AF_INET6, 0, IFA_F_NODAD | 0x800, v6_bytes, &addr), 0);
	CHECK(!addr.facts.temporary);
	CHECK_INT(addr.facts.len, 24);
}

TEST(a_second_ipv4_address_of_a_subnet_is_not_temporary)
{
	struct rt_addr addr;

	CHECK_INT(read_addr_with(AF_INET, 0, IFA_F_SECONDARY, v4_bytes, &addr), 0);
	CHECK(!addr.facts.temporary);
	CHECK_INT(addr.facts.len, ADDR_MAPPED_BITS + 24);
}

TEST(knows_the_scope_of_an_address)
{
	struct rt_addr addr;

	CHECK_INT(read_addr_with(AF_INET6, RT_SCOPE_LINK, 0, v6_bytes, &addr), 0);
	CHECK(addr.facts.link_scope);
	CHECK_INT(read_addr_with(AF_INET, RT_SCOPE_HOST, 0, v4_bytes, &addr), 0);
	CHECK(addr.facts.link_scope);
	CHECK_INT(read_addr_with(AF_INET6, RT_SCOPE_SITE, 0, v6_bytes, &addr), 0);
	CHECK(!addr.facts.link_scope);
}

TEST(takes_our_end_of_a_point_to_point_link)
{
	static const uint8_t other_end[4] = { 198, 51, 100, 9 };
	struct ifaddrmsg header = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 2 };
	union nl_message buf;
	struct nlmsghdr *msg =
		nl_put_header(&buf, sizeof(buf), RTM_NEWADDR, 0, &header, sizeof(header));
	struct rt_addr addr;

	mnl_attr_put(msg, IFA_ADDRESS, 4, other_end);
	mnl_attr_put(msg, IFA_LOCAL, 4, v4_bytes);
	CHECK_INT(rt_read_addr(msg, &addr), 0);
	CHECK_ADDR(addr.facts.addr, "192.0.2.1");
}

TEST(passes_over_addresses_that_our_form_cannot_hold)
{
	struct rt_addr addr = { .family = 99 };

	CHECK_INT(read_addr_with(AF_INET6, 0, 0, mapped_bytes, &addr), -EAFNOSUPPORT);
	CHECK_INT(read_addr_with(AF_PHONET, 0, 0, v6_bytes, &addr), -EAFNOSUPPORT);
	CHECK_INT(addr.family, 99);
}

TEST(gives_up_when_a_message_has_no_room)
{
	struct addr addr = value_addr("2001:db8::1");
	union nl_message buf;

	CHECK(!rt_put_link_dump(&buf, 31));
	CHECK(!rt_put_link_get(&buf, 35, "wg0"));
	CHECK(!rt_put_link_add(&buf, 67, "wg0", "wireguard", 1));
	CHECK(rt_put_link_add(&buf, 68, "wg0", "wireguard", 1));
	CHECK(!rt_put_addr_add(&buf, 71, 7, &addr));
	CHECK(rt_put_addr_add(&buf, 72, 7, &addr));
}

static void read_damaged(const struct nlmsghdr *msg)
{
	struct rt_link link;
	struct rt_addr addr;

	rt_read_link(msg, &link);
	rt_read_addr(msg, &addr);
}

TEST(survives_damaged_links_and_addresses)
{
	struct addr addr = value_addr("192.0.2.1");
	union nl_message buf;

	put_link(&buf, "eth0", 4);
	CHECK(mutate_message(&buf.header, read_damaged) > 500);
	REQUIRE(rt_put_addr_add(&buf, sizeof(buf), 7, &addr));
	CHECK(mutate_message(&buf.header, read_damaged) > 300);
}
