/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who on a LAN answers for an address: questions by ARP and neighbour discovery, and whatever says
 * so, asked for or not. What this machine says itself is not heard.
 */
#ifndef TP_KERNEL_LAN_WATCH_H
#define TP_KERNEL_LAN_WATCH_H

#include <net/if.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

/* The device, and what questions are asked with: zero where it has no address of that family. */
struct lan_watch_at {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	uint8_t mac[6];
	struct addr addr4, addr6;
};

struct lan_watch {
	struct lan_watch_at at;
	int arp_fd, neighbour_fd; /* to wait at */
};

/* In the network namespace of the device. */
int lan_watch_open(struct lan_watch *watch, const struct lan_watch_at *at, struct err *err);
void lan_watch_close(struct lan_watch *watch);

int lan_watch_ask(const struct lan_watch *watch, const struct addr *addr, struct err *err);
/*
 * One message from one of the two. 1: another machine says that *addr is its own; 0: it says
 * something else; -EAGAIN: there is none; another error: the device is gone.
 */
int lan_watch_hear(const struct lan_watch *watch, int fd, struct addr *addr);

#endif
