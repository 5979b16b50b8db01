/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP and ICMPv6 messages other than echoes: what they are. */
#ifndef BPF_LIB_ICMP_H
#define BPF_LIB_ICMP_H

#include "lib/parse.h"

#define ICMP_HEADER 8 /* of an error, in front of the packet that it quotes */

/* linux/icmp.h drags in userspace headers */
#define ICMP_DEST_UNREACH  3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

/* Source quench is dead (RFC 6633), a redirect is for hosts: neither is translated. */
static __always_inline bool icmp_is_error(const struct pkt *pkt)
{
	__u8 type = pkt->icmp_type;

	if (!proto_is_icmp(pkt))
		return false;
	if (pkt->v6)
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

#endif
