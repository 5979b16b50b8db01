/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses of either family in 16 bytes, an IPv4 one as ::ffff:a.b.c.d; for packets and sockets.
 */
#ifndef BPF_LIB_ADDR_H
#define BPF_LIB_ADDR_H

#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include <towpath/addr.h>

static __always_inline __be32 addr_word(const struct tp_addr *addr, int i)
{
	return ((const __be32 *)addr->bytes)[i];
}

static __always_inline void addr_set_v4(struct tp_addr *addr, __be32 v4)
{
	__be32 *words = (__be32 *)addr->bytes;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = v4;
}

static __always_inline bool addr_is_mapped(const struct tp_addr *addr)
{
	return !addr_word(addr, 0) && !addr_word(addr, 1) &&
	       addr_word(addr, 2) == bpf_htonl(0xffff);
}

static __always_inline bool addr_same(const struct tp_addr *a, const struct tp_addr *b)
{
	return addr_word(a, 0) == addr_word(b, 0) && addr_word(a, 1) == addr_word(b, 1) &&
	       addr_word(a, 2) == addr_word(b, 2) && addr_word(a, 3) == addr_word(b, 3);
}

static __always_inline bool addr_is_none(const struct tp_addr *addr)
{
	return !(addr_word(addr, 0) | addr_word(addr, 1) | addr_word(addr, 2) | addr_word(addr, 3));
}

#endif
