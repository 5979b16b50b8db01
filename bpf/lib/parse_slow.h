/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parse() for the programs behind tail calls.
 *
 * The verifier goes through what follows once for each way in which a packet may have been read,
 * as long as it can tell the results apart: this one has zeros where that one has bytes it does not
 * know. After pkt_forget() it knows none of them, and all those ways are one: less than half the
 * instructions to look at, and a load of all programs takes half as long. It is done after either
 * half, as the one behind multiplies the ways of the one before. To the processor it is two dozen
 * words or'ed with zero, which the fast programs, being small, do without.
 */
#ifndef BPF_LIB_PARSE_SLOW_H
#define BPF_LIB_PARSE_SLOW_H

#include "lib/parse.h"

/* Context, pointers and times stay. */
#define PKT_KNOWN __builtin_offsetof(struct pkt, tunnel_ifindex)
#define PKT_WORDS ((sizeof(struct pkt) - PKT_KNOWN) / sizeof(__u64))

_Static_assert(PKT_KNOWN % sizeof(__u64) == 0 && sizeof(struct pkt) % sizeof(__u64) == 0,
	       "words to forget");

static __always_inline void pkt_forget(struct pkt *pkt)
{
	__u64 *words = (__u64 *)((char *)pkt + PKT_KNOWN);
	const __u64 zero = hook_unknown_zero(pkt);
	__u32 i;

	for (i = 0; i < PKT_WORDS; i++)
		words[i] |= zero;
}

static __always_inline int parse_slow(struct pkt *pkt)
{
	int r = parse_l3(pkt);

	if (r != GO_ON)
		return r;
	pkt_forget(pkt);
	r = parse_l4(pkt);
	pkt_forget(pkt);
	return r;
}

#endif
