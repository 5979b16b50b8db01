// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/nl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/nl_attr.h"
#include "kernel/rt.h"
#include "mutate.h"
#include "test.h"

/* ---- results ----------------------------------------------------------------------------- */

/* NLMSG_ERROR as the kernel makes it: with an echo of the request, or capped to its header. */
static void put_error(union nl_message *buf, int code, size_t echo, const char *text)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *error = mnl_nlmsg_put_extra_header(msg, sizeof(*error));

	msg->nlmsg_type = NLMSG_ERROR;
	msg->nlmsg_flags = echo ? 0 : NLM_F_CAPPED;
	error->error = code;
	error->msg.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + echo);
	if (echo)
		memset(mnl_nlmsg_put_extra_header(msg, echo), 0xff, echo);
	if (!text)
		return;
	msg->nlmsg_flags |= NLM_F_ACK_TLVS;
	mnl_attr_put_u32(msg, NLMSGERR_ATTR_OFFS, 7);
	mnl_attr_put_strz(msg, NLMSGERR_ATTR_MSG, text);
}

static void check_result(const union nl_message *buf, int code, const char *text)
{
	struct err err = { 0 };

	CHECK_INT(nl_read_result(&buf->header, &err), code);
	CHECK_INT(err.code, code);
	CHECK_TEXT(err.text, text);
}

TEST(an_acknowledgement_is_no_error)
{
	union nl_message buf;

	put_error(&buf, 0, 0, NULL);
	check_result(&buf, 0, "");
	put_error(&buf, 0, 0, "a warning");
	check_result(&buf, 0, "");
}

TEST(the_kernels_own_words_become_the_error)
{
	union nl_message buf;

	put_error(&buf, -EINVAL, 0, "Nexthop has invalid gateway");
	check_result(&buf, -EINVAL, "Nexthop has invalid gateway (Invalid argument)");
	put_error(&buf, -EINVAL, 64, "Nexthop has invalid gateway");
	check_result(&buf, -EINVAL, "Nexthop has invalid gateway (Invalid argument)");
}

TEST(without_words_the_errno_must_do)
{
	union nl_message buf;

	put_error(&buf, -EPERM, 0, NULL);
	check_result(&buf, -EPERM, "Operation not permitted");
	put_error(&buf, -EPERM, 32, NULL);
	check_result(&buf, -EPERM, "Operation not permitted");
}

TEST(a_dump_may_end_with_an_error)
{
	union nl_message buf;
	struct nlmsghdr *msg = mnl_nlmsg_put_header(&buf);

	msg->nlmsg_type = NLMSG_DONE;
	msg->nlmsg_flags = NLM_F_MULTI | NLM_F_ACK_TLVS;
	*(int *)mnl_nlmsg_put_extra_header(msg, sizeof(int)) = -ENOENT;
	mnl_attr_put_strz(msg, NLMSGERR_ATTR_MSG, "FIB table does not exist");
	check_result(&buf, -ENOENT, "FIB table does not exist (No such file or directory)");
}

TEST(a_result_that_is_none_is_refused)
{
	union nl_message buf;
	struct nlmsghdr *msg;

	put_error(&buf, -5000, 0, NULL);
	CHECK_INT(nl_read_result(&buf.header, NULL), -EBADMSG);
	msg = mnl_nlmsg_put_header(&buf);
	msg->nlmsg_type = NLMSG_DONE;
	CHECK_INT(nl_read_result(msg, NULL), -EBADMSG);
}

TEST(an_echo_longer_than_the_message_hides_the_words)
{
	union nl_message buf;

	put_error(&buf, -EPERM, 64, "text");
	((struct nlmsgerr *)mnl_nlmsg_get_payload(&buf.header))->msg.nlmsg_len = 0xfffffff0;
	check_result(&buf, -EPERM, "Operation not permitted");
}

static void read_damaged(const struct nlmsghdr *msg)
{
	struct err err;

	nl_read_result(msg, &err);
}

TEST(survives_damaged_results)
{
	union nl_message buf;

	put_error(&buf, -EINVAL, 32, "Nexthop has invalid gateway");
	CHECK(mutate_message(&buf.header, read_damaged) > 500);
	put_error(&buf, -EINVAL, 0, "Nexthop has invalid gateway");
	CHECK(mutate_message(&buf.header, read_damaged) > 500);
}

/* ---- attributes -------------------------------------------------------------------------- */

TEST(an_attribute_of_another_size_is_absent)
{
	struct {
		struct nlattr header;
		uint8_t bytes[8];
	} attr = { .header = { .nla_len = sizeof(struct nlattr) + 4 }, .bytes = { 1, 2, 3, 4 } };
	uint64_t u64 = 7;
	uint32_t u32 = 7;
	uint16_t u16 = 7;
	uint8_t u8 = 7;

	CHECK(!nl_attr_u64(&attr.header, &u64));
	CHECK(!nl_attr_u16(&attr.header, &u16));
	CHECK(!nl_attr_u8(&attr.header, &u8));
	CHECK(!nl_attr_u32(NULL, &u32));
	CHECK(u64 == 7 && u32 == 7 && u16 == 7 && u8 == 7);
	CHECK(nl_attr_u32(&attr.header, &u32));
	CHECK_BYTES(&u32, sizeof(u32), attr.bytes, 4);
}

TEST(a_string_must_fit_with_its_nul)
{
	struct {
		struct nlattr header;
		char bytes[8];
	} attr = { .header = { .nla_len = sizeof(struct nlattr) + 4 }, .bytes = "abcdefg" };
	char out[8] = "before";

	CHECK(!nl_attr_string(&attr.header, out, 4));
	CHECK_TEXT(out, "before");
	CHECK(nl_attr_string(&attr.header, out, 5));
	CHECK_TEXT(out, "abcd");
}

TEST(a_mapped_ipv6_address_is_no_address)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	char text[ADDR_TEXT_SIZE];
	struct addr addr;

	CHECK_INT(nl_addr_read(AF_INET6, mapped, &addr), -EAFNOSUPPORT);
	CHECK_INT(nl_addr_read(AF_INET, mapped + 12, &addr), 0);
	CHECK_TEXT(addr_put(text, &addr), "192.0.2.1");
	CHECK_INT(nl_addr_read(AF_UNIX, mapped, &addr), -EAFNOSUPPORT);
}

/* ---- the running kernel: reading needs no root ---------------------------------------------- */

TEST(finds_the_loopback_device)
{
	AUTO_NL struct nl *nl = NULL;
	struct rt_links links = { 0 };
	struct rt_link link = { 0 };
	struct err err = { 0 };

	REQUIRE(!nl_open(NETLINK_ROUTE, &nl, &err));
	CHECK_INT(rt_find_link(nl, "lo", &link, &err), 0);
	CHECK_TEXT(link.facts.name, "lo");
	CHECK(link.facts.loopback);

	CHECK_INT(rt_dump_links(nl, &links, &err), 0);
	CHECK(links.count >= 1);
	array_clear(&links);
}

TEST(says_what_it_was_doing_when_the_kernel_refuses)
{
	AUTO_NL struct nl *nl = NULL;
	struct rt_link link = { 0 };
	struct err err = { 0 };

	REQUIRE(!nl_open(NETLINK_ROUTE, &nl, &err));
	CHECK_INT(rt_find_link(nl, "nosuchdevice0", &link, &err), -ENODEV);
	CHECK_TEXT(err.text, "device nosuchdevice0: No such device");
	CHECK_INT(link.facts.ifindex, 0);
}

TEST(resolves_generic_netlink_families)
{
	AUTO_NL struct nl *nl = NULL;
	uint16_t family = 0;
	struct err err = { 0 };

	REQUIRE(!nl_open(NETLINK_GENERIC, &nl, &err));
	CHECK_INT(nl_genl_family(nl, "nlctrl", &family, &err), 0);
	CHECK_INT(family, 16);
	CHECK_INT(nl_genl_family(nl, "tp_nonesuch", &family, &err), -ENOENT);
	CHECK_INT(family, 16);
}

static int refuse(const struct nlmsghdr *msg, void *data)
{
	size_t *count = data;

	(*count)++;
	return msg ? -EBADMSG : 0;
}

static void restart(void *data)
{
	*(size_t *)data = 0;
}

TEST(a_dump_given_up_leaves_the_socket_usable)
{
	AUTO_NL struct nl *nl = NULL;
	struct rt_link link;
	struct err err = { 0 };
	union nl_message buf;
	size_t count = 0;
	struct nl_reader reader = { .read = refuse, .restart = restart, .data = &count };

	REQUIRE(!nl_open(NETLINK_ROUTE, &nl, &err));
	for (int i = 0; i < 3; i++) {
		count = 0;
		REQUIRE(rt_put_addr_dump(&buf, sizeof(buf)));
		CHECK_INT(nl_dump(nl, &buf.header, &reader, &err), -EBADMSG);
		CHECK_INT(count, 1); /* after a failure nothing more is handed over */
		CHECK_INT(rt_find_link(nl, "lo", &link, &err), 0);
	}
}
