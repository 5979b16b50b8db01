/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink attributes, checked. Pure functions between bytes and values: no socket here.
 *
 * The readers take an attribute or NULL and answer whether it was there and had the right size;
 * out is untouched otherwise.
 */
#ifndef TP_KERNEL_NL_ATTR_H
#define TP_KERNEL_NL_ATTR_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* table has max + 1 entries; absent attributes are NULL, unknown ones are left out. */
void nl_attrs_of_message(const struct nlmsghdr *msg, size_t header_size,
			 const struct nlattr **table, uint16_t max);
void nl_attrs_of_nest(const struct nlattr *nest, const struct nlattr **table, uint16_t max);
void nl_attrs_of_bytes(const void *bytes, size_t length, const struct nlattr **table, uint16_t max);

bool nl_attr_u8(const struct nlattr *attr, uint8_t *out);
bool nl_attr_u16(const struct nlattr *attr, uint16_t *out);
bool nl_attr_u32(const struct nlattr *attr, uint32_t *out);
bool nl_attr_u64(const struct nlattr *attr, uint64_t *out);
bool nl_attr_bytes(const struct nlattr *attr, void *out, size_t size); /* exactly size */
/* A string that fits into size with its NUL; one without a NUL at its end is taken too. */
bool nl_attr_string(const struct nlattr *attr, char *out, size_t size);
/* False also for an IPv6 address that is IPv4-mapped: our form could not tell it from IPv4. */
bool nl_attr_addr(const struct nlattr *attr, int family, struct addr *out);

/* The 4 or 16 bytes of a family in our form; -EAFNOSUPPORT for a mapped IPv6 address. */
int nl_addr_read(int family, const void *bytes, struct addr *out);
/* Ours in the family's form: where its bytes begin, and how many there are. */
const uint8_t *nl_addr_bytes(const struct addr *addr, size_t *length);
int nl_addr_family(const struct addr *addr);

/*
 * Begins a message of a type with a copy of the family's own header. NULL when size is too small;
 * the same pointer as buf otherwise.
 */
struct nlmsghdr *nl_put_header(void *buf, size_t size, uint16_t type, uint16_t flags,
			       const void *header, size_t header_size);
bool nl_put_addr(struct nlmsghdr *msg, size_t size, uint16_t type, const struct addr *addr);

/* What NLMSG_ERROR or NLMSG_DONE says: 0, or the errno with the kernel's own words in err. */
int nl_read_result(const struct nlmsghdr *msg, struct err *err);

#endif
