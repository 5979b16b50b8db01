// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/lan_neighbour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "kernel/lan_frames.h"

#define PROBES        3
#define PROBE_MS      300 /* between two, and after the last */
#define MAC_TEXT_SIZE 18

/* sender zero: a probe. */
static int send_arp(int fd, const struct facts_link *link, const uint8_t *sender,
		    const uint8_t *target, struct err *err)
{
	static const uint8_t everybody[ETH_ALEN] = { 255, 255, 255, 255, 255, 255 };
	struct arp arp;

	arp_put(&arp, link->mac, sender, target);
	return lan_send(fd, link->ifindex, link->name, ETH_P_ARP, everybody, &arp, sizeof(arp),
			err);
}

/* Somebody has the address, or probes for it in this very moment (RFC 5227 2.1.1). */
static bool is_conflict(const struct arp *arp, const struct facts_link *link, const uint8_t *wanted)
{
	static const uint8_t none[4];

	if (!memcmp(arp->sender_mac, link->mac, ETH_ALEN))
		return false;
	if (!memcmp(arp->sender, wanted, sizeof(arp->sender)))
		return true;
	return arp->op == htons(ARPOP_REQUEST) && !memcmp(arp->sender, none, sizeof(none)) &&
	       !memcmp(arp->target, wanted, sizeof(arp->target));
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True, with the answer in arp, when one comes in time. */
static bool hear_conflict(int fd, const struct facts_link *link, const uint8_t *wanted,
			  struct arp *arp)
{
	int64_t end = now_ms() + PROBE_MS;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int64_t left;

	while ((left = end - now_ms()) > 0) {
		ssize_t size;

		if (poll(&ready, 1, (int)left) <= 0)
			continue;
		size = recv(fd, arp, sizeof(*arp), 0);
		if (size == (ssize_t)sizeof(*arp) && is_conflict(arp, link, wanted))
			return true;
	}
	return false;
}

static const char *mac_put(char buf[MAC_TEXT_SIZE], const uint8_t *mac)
{
	snprintf(buf, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return buf;
}

int lan_probe(const struct facts_link *link, const struct addr *addr, struct err *err)
{
	static const uint8_t none[4];
	const uint8_t *wanted = addr->bytes + 12;
	char text[ADDR_TEXT_SIZE], mac[MAC_TEXT_SIZE];
	AUTO_CLOSE int fd = -1;
	struct arp arp;
	int i, r = 0;

	if (!link->ethernet)
		return 0;
	fd = lan_socket(link->ifindex, link->name, ETH_P_ARP, err);
	if (fd < 0)
		return fd;
	for (i = 0; !r && i < PROBES; i++) {
		r = send_arp(fd, link, none, wanted, err);
		if (!r && hear_conflict(fd, link, wanted, &arp))
			r = err_set(err, -EADDRINUSE, "%s is in use on %s already: %s has it",
				    addr_put(text, addr), link->name, mac_put(mac, arp.sender_mac));
	}
	return r;
}

static int advertise(const struct facts_link *link, const struct addr *addr, struct err *err)
{
	static const uint8_t all_nodes_mac[ETH_ALEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	AUTO_CLOSE int fd = lan_socket(link->ifindex, link->name, ETH_P_IPV6, err);
	struct neighbour message;

	if (fd < 0)
		return fd;
	neighbour_put_here(&message, link->mac, addr->bytes);
	return lan_send(fd, link->ifindex, link->name, ETH_P_IPV6, all_nodes_mac, &message,
			sizeof(message), err);
}

int lan_announce(const struct facts_link *link, const struct addr *addr, struct err *err)
{
	const uint8_t *v4 = addr->bytes + 12;
	AUTO_CLOSE int fd = -1;

	if (!link->ethernet)
		return 0;
	if (!addr_is_v4(addr))
		return advertise(link, addr, err);
	fd = lan_socket(link->ifindex, link->name, ETH_P_ARP, err);
	return fd < 0 ? fd : send_arp(fd, link, v4, v4, err);
}
