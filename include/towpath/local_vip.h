/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Local VIPs: addresses of a LAN that a load balancer on this machine itself may answer for. Where
 * they are at the moment only somebody who asks the LAN can tell, which is towpath's daemon.
 */
#ifndef TOWPATH_LOCAL_VIP_H
#define TOWPATH_LOCAL_VIP_H

#include <linux/types.h>
#include <towpath/addr.h>

enum tp_local_vip_where {
	TP_VIP_UNKNOWN = 0,   /* a program has met it, and nobody has asked yet */
	TP_VIP_ELSEWHERE = 1, /* another machine of the LAN answers for it */
	TP_VIP_HERE = 2,      /* none does */
};

/* Value of tp_local_vips, whose key is the address. */
struct tp_local_vip {
	__u64 used;  /* jiffies64 when a packet was last sent there; 0: never */
	__u32 where; /* enum tp_local_vip_where */
	__u32 zero;
};

_Static_assert(sizeof(struct tp_local_vip) == 16, "no hole");

#endif
