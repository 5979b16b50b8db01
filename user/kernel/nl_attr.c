// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/nl_attr.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

static const uint8_t mapped_prefix[ADDR_MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

void nl_attrs_of_bytes(const void *bytes, size_t length, const struct nlattr **table, uint16_t max)
{
	const struct nlattr *attr;

	memset(table, 0, sizeof(*table) * (max + 1U));
	mnl_attr_for_each_payload(bytes, length)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type <= max)
			table[type] = attr;
	}
}

void nl_attrs_of_message(const struct nlmsghdr *msg, size_t header_size,
			 const struct nlattr **table, uint16_t max)
{
	size_t length = mnl_nlmsg_get_payload_len(msg);
	size_t skipped = MNL_ALIGN(header_size);

	/* a message shorter than its own header has no attributes */
	if (length < skipped)
		length = skipped;
	nl_attrs_of_bytes(mnl_nlmsg_get_payload_offset(msg, skipped), length - skipped, table, max);
}

void nl_attrs_of_nest(const struct nlattr *nest, const struct nlattr **table, uint16_t max)
{
	if (nest)
		nl_attrs_of_bytes(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), table,
				  max);
	else
		memset(table, 0, sizeof(*table) * (max + 1U));
}

bool nl_attr_bytes(const struct nlattr *attr, void *out, size_t size)
{
	if (!attr || mnl_attr_get_payload_len(attr) != size)
		return false;
	memcpy(out, mnl_attr_get_payload(attr), size);
	return true;
}

bool nl_attr_u8(const struct nlattr *attr, uint8_t *out)
{
	return nl_attr_bytes(attr, out, sizeof(*out));
}

bool nl_attr_u16(const struct nlattr *attr, uint16_t *out)
{
	return nl_attr_bytes(attr, out, sizeof(*out));
}

bool nl_attr_u32(const struct nlattr *attr, uint32_t *out)
{
	return nl_attr_bytes(attr, out, sizeof(*out));
}

bool nl_attr_u64(const struct nlattr *attr, uint64_t *out)
{
	return nl_attr_bytes(attr, out, sizeof(*out));
}

bool nl_attr_string(const struct nlattr *attr, char *out, size_t size)
{
	size_t length;

	if (!attr)
		return false;
	length = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (length >= size)
		return false;

	memcpy(out, mnl_attr_get_payload(attr), length);
	out[length] = '\0';
	return true;
}

int nl_addr_read(int family, const void *bytes, struct addr *out)
{
	switch (family) {
	case AF_INET:
		memcpy(out->bytes, mapped_prefix, sizeof(mapped_prefix));
		memcpy(out->bytes + sizeof(mapped_prefix), bytes, 4);
		return 0;
	case AF_INET6:
		if (!memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)))
			return -EAFNOSUPPORT;
		memcpy(out->bytes, bytes, sizeof(out->bytes));
		return 0;
	}
	return -EAFNOSUPPORT;
}

bool nl_attr_addr(const struct nlattr *attr, int family, struct addr *out)
{
	size_t size = family == AF_INET ? 4 : 16;

	return attr && mnl_attr_get_payload_len(attr) == size &&
	       !nl_addr_read(family, mnl_attr_get_payload(attr), out);
}

const uint8_t *nl_addr_bytes(const struct addr *addr, size_t *length)
{
	size_t skipped = addr_is_v4(addr) ? sizeof(mapped_prefix) : 0;

	*length = sizeof(addr->bytes) - skipped;
	return addr->bytes + skipped;
}

int nl_addr_family(const struct addr *addr)
{
	return addr_is_v4(addr) ? AF_INET : AF_INET6;
}

struct nlmsghdr *nl_put_header(void *buf, size_t size, uint16_t type, uint16_t flags,
			       const void *header, size_t header_size)
{
	struct nlmsghdr *msg;

	if (size < MNL_NLMSG_HDRLEN + MNL_ALIGN(header_size))
		return NULL;

	memset(buf, 0, size); /* libmnl leaves the padding of attributes as it was */
	msg = mnl_nlmsg_put_header(buf);
	msg->nlmsg_type = type;
	msg->nlmsg_flags = flags;
	memcpy(mnl_nlmsg_put_extra_header(msg, header_size), header, header_size);
	return msg;
}

bool nl_put_addr(struct nlmsghdr *msg, size_t size, uint16_t type, const struct addr *addr)
{
	size_t length;
	const uint8_t *bytes = nl_addr_bytes(addr, &length);

	return mnl_attr_put_check(msg, size, type, length, bytes);
}

/* The attributes behind a result, or none. An echo of our request may lie before them. */
static const struct nlattr *find_text(const struct nlmsghdr *msg, size_t offset)
{
	const struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];

	if (!(msg->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	nl_attrs_of_message(msg, offset, attrs, NLMSGERR_ATTR_MAX);
	return attrs[NLMSGERR_ATTR_MSG];
}

static size_t text_offset(const struct nlmsghdr *msg)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(msg);
	size_t payload = mnl_nlmsg_get_payload_len(msg);
	size_t echo;

	if (msg->nlmsg_type == NLMSG_DONE)
		return sizeof(int);
	if (payload < sizeof(*error) || msg->nlmsg_flags & NLM_F_CAPPED)
		return sizeof(*error);

	echo = error->msg.nlmsg_len;
	if (echo < sizeof(error->msg) || echo > payload)
		return payload; /* nonsense: nothing is read */
	return sizeof(*error) + echo - sizeof(error->msg);
}

int nl_read_result(const struct nlmsghdr *msg, struct err *err)
{
	const struct nlattr *attr;
	char text[256];
	int code;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(code))
		return err_sys(err, -EBADMSG, "netlink answer is cut short");

	memcpy(&code, mnl_nlmsg_get_payload(msg), sizeof(code));
	if (code >= 0)
		return 0;
	if (code < -4095) /* the kernel's MAX_ERRNO */
		return err_sys(err, -EBADMSG, "netlink answer");

	attr = find_text(msg, text_offset(msg));
	if (nl_attr_string(attr, text, sizeof(text)))
		return err_set(err, code, "%s (%s)", text, strerror(-code));
	return err_set(err, code, "%s", strerror(-code));
}
