/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet checksum arithmetic (RFC 1071, RFC 1624). */
#ifndef BPF_LIB_CSUM_H
#define BPF_LIB_CSUM_H

#include "lib/pkt.h"

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* The 32-bit sum that takes `from` out and `to` in. The mapping of IPv4 cancels out. */
static __always_inline __u32 csum_addr_difference(const struct tp_addr *from,
						  const struct tp_addr *to)
{
	__u64 sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < 4; i++)
		sum += (__u64)(__u32)~addr_word(from, i) + addr_word(to, i);

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)sum;
}

/* RFC 1624 equation 3: HC' = ~(~HC + difference). */
static __always_inline __u16 csum_apply(__u16 check, __u64 difference)
{
	return ~csum_fold((__u64)(__u16)~check + difference);
}

#endif
