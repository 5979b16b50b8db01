/* SPDX-License-Identifier: GPL-2.0-only */
/* ARP and neighbour discovery by hand, where the kernel does not speak by itself. */
#ifndef TP_KERNEL_LAN_NEIGHBOUR_H
#define TP_KERNEL_LAN_NEIGHBOUR_H

#include "base/addr.h"
#include "base/err.h"
#include "model/facts.h"

/*
 * RFC 5227: asks the LAN for an IPv4 address without saying that we want it. -EADDRINUSE, and
 * whose it is, when somebody answers within a second.
 */
int lan_probe(const struct facts_link *link, const struct addr *addr, struct err *err);

/* Gratuitous ARP or an unsolicited neighbour advertisement: caches forget who had it before. */
int lan_announce(const struct facts_link *link, const struct addr *addr, struct err *err);

#endif
