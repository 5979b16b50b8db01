/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses as the maps hold them. */
#ifndef TOWPATH_ADDR_H
#define TOWPATH_ADDR_H

#include <linux/types.h>

/*
 * An IPv4 or IPv6 address, 16 bytes in network byte order. IPv4 is held IPv4-mapped
 * (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that one key, one table and one code path serve both
 * families. An IPv6 packet that itself carries a mapped address is a martian and never gets here.
 */
struct tp_addr {
	__u8 bytes[16]; /* bytes, not words: so that bpftool shows 10,10,30,20 */
} __attribute__((aligned(4)));

/*
 * Key of every LPM table. prefix_len counts bits of the mapped form: an IPv4 /24 is 120 here.
 * A table that holds an IPv6 prefix which covers ::ffff:0:0/96 (such as ::/0) always holds a row
 * for ::ffff:0:0/96 too, or IPv4 would fall through into it.
 */
struct tp_prefix {
	__u32 prefix_len;
	struct tp_addr addr;
};

/* Key of tp_guard_known. */
struct tp_endpoint {
	struct tp_addr addr;
	__be16 port;
	__u16 pad;
};

_Static_assert(sizeof(struct tp_addr) == 16, "tp_addr is one address");
_Static_assert(sizeof(struct tp_prefix) == 20, "tp_prefix has no hole");
_Static_assert(sizeof(struct tp_endpoint) == 20, "tp_endpoint has no hole");

#endif
