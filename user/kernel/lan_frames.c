// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/lan_frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEXT_ICMPV6    58
#define OVERRIDE       0x20000000
#define SOURCE_ADDRESS 1 /* options: link-layer addresses (RFC 4861 4.6.1) */
#define TARGET_ADDRESS 2
#define OPTION_SIZE    8

int lan_socket(uint32_t ifindex, const char *device, uint16_t ethertype, struct err *err)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ethertype),
				  .sll_ifindex = (int)ifindex };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "open a packet socket");
	if (!bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return fd;
	r = -errno;
	close(fd);
	return err_sys(err, r, "listen on %s", device);
}

int lan_send(int fd, uint32_t ifindex, const char *device, uint16_t ethertype, const uint8_t *mac,
	     const void *bytes, size_t size, struct err *err)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ethertype),
				  .sll_ifindex = (int)ifindex,
				  .sll_halen = ETH_ALEN };

	memcpy(to.sll_addr, mac, ETH_ALEN);
	if (sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)size)
		return 0;
	if (errno == ENETDOWN || errno == ENOBUFS)
		return 0; /* nobody is there to hear it, or the next one does as well */
	return err_sys(err, -errno, "send on %s", device);
}

void arp_put(struct arp *arp, const uint8_t *mac, const uint8_t *sender, const uint8_t *target)
{
	*arp = (struct arp){ .hardware = htons(ARPHRD_ETHER),
			     .protocol = htons(ETH_P_IP),
			     .hardware_size = ETH_ALEN,
			     .protocol_size = 4,
			     .op = htons(ARPOP_REQUEST) };
	memcpy(arp->sender_mac, mac, ETH_ALEN);
	memcpy(arp->sender, sender, sizeof(arp->sender));
	memcpy(arp->target, target, sizeof(arp->target));
}

/* RFC 4443 2.3; everything behind the IPv6 header, and a pseudo header. */
static uint16_t icmp6_checksum(const struct neighbour *message, size_t size)
{
	uint8_t bytes[sizeof(*message)];
	size_t i, payload = size - sizeof(message->ip);
	uint32_t sum = (uint32_t)payload + NEXT_ICMPV6;

	memcpy(bytes, message, sizeof(bytes));
	/* addresses and payload follow each other */
	for (i = sizeof(message->ip) - 32; i < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* All but type, flags and option, which are there already. */
static void finish(struct neighbour *out, const uint8_t *from, const uint8_t *to,
		   const uint8_t *target, size_t size)
{
	out->ip.version = 6;
	out->ip.nexthdr = NEXT_ICMPV6;
	out->ip.hop_limit = 255;
	out->ip.payload_len = htons((uint16_t)(size - sizeof(out->ip)));
	memcpy(&out->ip.saddr, from, sizeof(out->ip.saddr));
	memcpy(&out->ip.daddr, to, sizeof(out->ip.daddr));
	memcpy(out->target, target, sizeof(out->target));
	out->option_size = OPTION_SIZE / 8;
	out->checksum = icmp6_checksum(out, size);
}

void neighbour_put_here(struct neighbour *out, const uint8_t *mac, const uint8_t *target)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };

	*out = (struct neighbour){ .type = NEIGHBOUR_ADVERTISEMENT,
				   .flags = htonl(OVERRIDE),
				   .option = TARGET_ADDRESS };
	memcpy(out->mac, mac, sizeof(out->mac));
	finish(out, target, all_nodes, target, sizeof(*out));
}

size_t neighbour_put_question(struct neighbour *out, const uint8_t *mac, const uint8_t *sender,
			      const uint8_t *target, uint8_t to[ETH_ALEN])
{
	static const uint8_t none[16];
	/* solicited-node, and as Ethernet has it (RFC 4291 2.7.1, RFC 2464 7) */
	uint8_t group[16] = { 0xff, 2, [11] = 1, 0xff, target[13], target[14], target[15] };
	const uint8_t group_mac[ETH_ALEN] = {
		0x33, 0x33, 0xff, target[13], target[14], target[15]
	};
	size_t size = sizeof(*out);

	if (!memcmp(sender, none, sizeof(none)))
		size -= OPTION_SIZE; /* RFC 4861 4.3: then there must be none */
	*out = (struct neighbour){ .type = NEIGHBOUR_SOLICITATION, .option = SOURCE_ADDRESS };
	memcpy(out->mac, mac, sizeof(out->mac));
	memcpy(to, group_mac, sizeof(group_mac));
	finish(out, sender, group, target, size);
	return size;
}
