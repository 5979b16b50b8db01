/* SPDX-License-Identifier: GPL-2.0-only */
/* What a notification of rtnetlink says has changed. Pure: no socket here. */
#ifndef TP_KERNEL_RT_CHANGE_H
#define TP_KERNEL_RT_CHANGE_H

#include <linux/netlink.h>

/* Bits: several notifications are told of at once. */
enum rt_change {
	RT_CHANGE_LINK = 1 << 0,
	RT_CHANGE_ADDRESS = 1 << 1,
	RT_CHANGE_ROUTE = 1 << 2,         /* one of ours, or a rule that leads to them */
	RT_CHANGE_FOREIGN_ROUTE = 1 << 3, /* another, or a rule: there may be thousands */
	RT_CHANGE_QDISC = 1 << 4,         /* or a filter on one: where programs are attached */
	RT_CHANGE_SYSCTL = 1 << 5,
	RT_CHANGE_NETNS = 1 << 6,
	RT_CHANGE_LOST = 1 << 7, /* there were more than the socket had room for */
};

/* 0 for what is no change that could matter to us. */
unsigned int rt_read_change(const struct nlmsghdr *msg);

#endif
