// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/lan_neighbour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmpv6.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ipv6.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define PROBES         3
#define PROBE_MS       300 /* between two, and after the last */
#define MAC_TEXT_SIZE  18
#define NEXT_ICMPV6    58
#define ADVERTISEMENT  136 /* RFC 4861 4.4 */
#define TARGET_ADDRESS 2   /* option: target link-layer address */

/* Ethernet and IPv4 (RFC 826). */
struct arp {
	uint16_t hardware, protocol;
	uint8_t hardware_size, protocol_size;
	uint16_t op;
	uint8_t sender_mac[ETH_ALEN], sender[4];
	uint8_t target_mac[ETH_ALEN], target[4];
} __attribute__((packed));

struct advertisement {
	struct ipv6hdr ip;
	uint8_t type, code;
	uint16_t checksum;
	uint32_t flags;
	uint8_t target[16];
	uint8_t option, option_size; /* in units of 8 bytes */
	uint8_t mac[ETH_ALEN];
} __attribute__((packed));

static int open_socket(const struct facts_link *link, uint16_t ethertype, struct err *err)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ethertype),
				  .sll_ifindex = (int)link->ifindex };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "open a packet socket");
	if (!bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return fd;
	r = -errno;
	close(fd);
	return err_sys(err, r, "listen on %s", link->name);
}

static int send_to(int fd, const struct facts_link *link, uint16_t ethertype, const uint8_t *mac,
		   const void *bytes, size_t size, struct err *err)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ethertype),
				  .sll_ifindex = (int)link->ifindex,
				  .sll_halen = ETH_ALEN };

	memcpy(to.sll_addr, mac, ETH_ALEN);
	if (sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)size)
		return 0;
	if (errno == ENETDOWN || errno == ENOBUFS)
		return 0; /* nobody is there to hear it, or the next one does as well */
	return err_sys(err, -errno, "send on %s", link->name);
}

/* sender zero: a probe, which leaves caches alone. */
static int send_arp(int fd, const struct facts_link *link, const uint8_t *sender,
		    const uint8_t *target, struct err *err)
{
	static const uint8_t everybody[ETH_ALEN] = { 255, 255, 255, 255, 255, 255 };
	struct arp arp = { .hardware = htons(ARPHRD_ETHER),
			   .protocol = htons(ETH_P_IP),
			   .hardware_size = ETH_ALEN,
			   .protocol_size = 4,
			   .op = htons(ARPOP_REQUEST) };

	memcpy(arp.sender_mac, link->mac, ETH_ALEN);
	memcpy(arp.sender, sender, sizeof(arp.sender));
	memcpy(arp.target, target, sizeof(arp.target));
	return send_to(fd, link, ETH_P_ARP, everybody, &arp, sizeof(arp), err);
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
	fd = open_socket(link, ETH_P_ARP, err);
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

/* RFC 4443 2.3; everything behind the IPv6 header, and a pseudo header. */
static uint16_t icmp6_checksum(const struct advertisement *message)
{
	uint8_t bytes[sizeof(*message)];
	size_t i, payload = sizeof(*message) - sizeof(message->ip);
	uint32_t sum = (uint32_t)payload + NEXT_ICMPV6;

	memcpy(bytes, message, sizeof(bytes));
	/* addresses and payload follow each other */
	for (i = sizeof(message->ip) - 32; i < sizeof(*message); i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static int advertise(const struct facts_link *link, const struct addr *addr, struct err *err)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
	static const uint8_t all_nodes_mac[ETH_ALEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct advertisement message = {
		.ip = { .version = 6, .nexthdr = NEXT_ICMPV6, .hop_limit = 255 },
		.type = ADVERTISEMENT,
		.flags = htonl(0x20000000), /* override */
		.option = TARGET_ADDRESS,
		.option_size = 1
	};
	AUTO_CLOSE int fd = open_socket(link, ETH_P_IPV6, err);

	if (fd < 0)
		return fd;
	message.ip.payload_len = htons(sizeof(message) - sizeof(message.ip));
	memcpy(&message.ip.saddr, addr->bytes, sizeof(message.ip.saddr));
	memcpy(&message.ip.daddr, all_nodes, sizeof(message.ip.daddr));
	memcpy(message.target, addr->bytes, sizeof(message.target));
	memcpy(message.mac, link->mac, sizeof(message.mac));
	message.checksum = icmp6_checksum(&message);
	return send_to(fd, link, ETH_P_IPV6, all_nodes_mac, &message, sizeof(message), err);
}

int lan_announce(const struct facts_link *link, const struct addr *addr, struct err *err)
{
	const uint8_t *v4 = addr->bytes + 12;
	AUTO_CLOSE int fd = -1;

	if (!link->ethernet)
		return 0;
	if (!addr_is_v4(addr))
		return advertise(link, addr, err);
	fd = open_socket(link, ETH_P_ARP, err);
	return fd < 0 ? fd : send_arp(fd, link, v4, v4, err);
}
