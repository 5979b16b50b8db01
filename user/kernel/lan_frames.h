/* SPDX-License-Identifier: GPL-2.0-only */
/* What ARP (RFC 826) and neighbour discovery (RFC 4861) say on an Ethernet, byte for byte. */
#ifndef TP_KERNEL_LAN_FRAMES_H
#define TP_KERNEL_LAN_FRAMES_H

#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arp {
	uint16_t hardware, protocol;
	uint8_t hardware_size, protocol_size;
	uint16_t op;
	uint8_t sender_mac[ETH_ALEN], sender[4];
	uint8_t target_mac[ETH_ALEN], target[4];
} __attribute__((packed));

#define NEIGHBOUR_SOLICITATION  135
#define NEIGHBOUR_ADVERTISEMENT 136

/* A solicitation or an advertisement, with one option: its sender's, or its target's, address. */
struct neighbour {
	struct ipv6hdr ip;
	uint8_t type, code;
	uint16_t checksum;
	uint32_t flags;
	uint8_t target[16];
	uint8_t option, option_size; /* in units of 8 bytes */
	uint8_t mac[ETH_ALEN];
} __attribute__((packed));

/* A packet socket of that EtherType on the device, non-blocking; headers of IP are what it has. */
int lan_socket(uint32_t ifindex, const char *device, uint16_t ethertype, struct err *err);
/* To that MAC. What a device that is down, or full, does not take is lost as on any wire. */
int lan_send(int fd, uint32_t ifindex, const char *device, uint16_t ethertype, const uint8_t *mac,
	     const void *bytes, size_t size, struct err *err);

/* A request for everybody. sender zero: a probe, which leaves caches alone (RFC 5227). */
void arp_put(struct arp *arp, const uint8_t *mac, const uint8_t *sender, const uint8_t *target);
/* To all nodes: the target is here. */
void neighbour_put_here(struct neighbour *out, const uint8_t *mac, const uint8_t *target);
/*
 * To those that may have the target: who does? Returns the size, which is smaller from nobody
 * (sender zero). to: its MAC address.
 */
size_t neighbour_put_question(struct neighbour *out, const uint8_t *mac, const uint8_t *sender,
			      const uint8_t *target, uint8_t to[ETH_ALEN]);

#endif
