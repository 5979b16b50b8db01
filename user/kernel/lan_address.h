/* SPDX-License-Identifier: GPL-2.0-only */
/* An address of ours on a LAN device: is it free, put it there, tell the neighbours. */
#ifndef TP_KERNEL_LAN_ADDRESS_H
#define TP_KERNEL_LAN_ADDRESS_H

#include "base/addr.h"
#include "base/err.h"

struct nl;

/*
 * -EADDRINUSE when another machine on the LAN answers for it; takes a second, two for IPv6. A LAN
 * without carrier, or without Ethernet, answers nothing and is believed.
 */
int lan_address_put(struct nl *nl, const char *device, const struct addr *addr, struct err *err);

#endif
