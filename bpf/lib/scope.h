/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses that are not for routers: RFC 1122 3.2.1.3, RFC 1812 5.3.7, RFC 4291, RFC 6890. */
#ifndef BPF_LIB_SCOPE_H
#define BPF_LIB_SCOPE_H

#include "lib/pkt.h"

static __always_inline __u8 addr_byte(const struct tp_addr *addr, int i)
{
	return addr->bytes[i];
}

static __always_inline bool v4_is_multicast(const struct tp_addr *addr)
{
	return addr_byte(addr, 12) >> 4 == 14;
}

static __always_inline bool v4_is_link_local(const struct tp_addr *addr)
{
	return addr_byte(addr, 12) == 169 && addr_byte(addr, 13) == 254;
}

/* 0/8, 127/8 and 240/4 are on no wire; limited broadcast is told apart by the caller. */
static __always_inline bool v4_is_martian(const struct tp_addr *addr)
{
	__u8 first = addr_byte(addr, 12);

	return first == 0 || first == 127 || first >= 240;
}

static __always_inline bool v6_is_link_local(const struct tp_addr *addr)
{
	return addr_byte(addr, 0) == 0xfe && (addr_byte(addr, 1) & 0xc0) == 0x80;
}

static __always_inline bool v6_is_multicast(const struct tp_addr *addr)
{
	return addr_byte(addr, 0) == 0xff;
}

/* ::, ::1 and IPv4-mapped. */
static __always_inline bool v6_is_martian(const struct tp_addr *addr)
{
	return addr_is_mapped(addr) || (!addr_word(addr, 0) && !addr_word(addr, 1) &&
					!addr_word(addr, 2) && bpf_ntohl(addr_word(addr, 3)) <= 1);
}

static __always_inline bool addr_is_link_local(const struct tp_addr *addr)
{
	return addr_is_mapped(addr) ? v4_is_link_local(addr) : v6_is_link_local(addr);
}

/* Multicast, and limited broadcast: whoever listens is meant. */
static __always_inline bool addr_is_group(const struct tp_addr *addr)
{
	if (!addr_is_mapped(addr))
		return v6_is_multicast(addr);
	return v4_is_multicast(addr) || addr_word(addr, 3) == 0xffffffff;
}

/*
 * Stays on its link: the stack's business, whatever else is wrong with it. So it is on a LAN, and
 * with what this machine sends.
 */
static __always_inline bool scope_is_local(const struct pkt *pkt)
{
	const struct tp_addr *src = &pkt->key.src, *dst = &pkt->key.dst;

	if (pkt->key.side != TP_SIDE_LAN)
		return pkt->out && addr_is_group(dst);
	return addr_is_group(dst) || addr_is_link_local(src) || addr_is_link_local(dst);
}

/*
 * Out of the tunnel these would reach local services around the policy: a socket on a wildcard
 * address is given what is for everybody, and 169.254.0.0/16 is popular for services. No grant
 * names such addresses, and a default route leads to none.
 */
static __always_inline bool scope_is_beyond_grants(const struct pkt *pkt)
{
	return addr_is_group(&pkt->key.dst) || addr_is_link_local(&pkt->key.dst);
}

static __always_inline bool scope_is_martian(const struct pkt *pkt)
{
	const struct tp_addr *src = &pkt->key.src, *dst = &pkt->key.dst;

	if (addr_same(src, dst)) /* land */
		return true;
	if (pkt->v6)
		return v6_is_martian(src) || v6_is_multicast(src) || v6_is_martian(dst);
	return v4_is_martian(src) || v4_is_multicast(src) || v4_is_martian(dst);
}

#endif
