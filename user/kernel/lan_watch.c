// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/lan_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/lan_frames.h"

#define NEXT_ICMPV6 58
#define HOP_LIMIT   255 /* RFC 4861 7.1.2: it was on this link and nowhere else */

/* Of all that is IPv6, the kernel gives us advertisements alone. */
static int filter_advertisements(int fd, struct err *err)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct neighbour, ip.nexthdr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NEXT_ICMPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct neighbour, type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NEIGHBOUR_ADVERTISEMENT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, sizeof(struct neighbour)),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		return err_sys(err, -errno, "filter neighbour discovery");
	return 0;
}

int lan_watch_open(struct lan_watch *watch, const struct lan_watch_at *at, struct err *err)
{
	int r;

	watch->at = *at;
	watch->neighbour_fd = -1;
	watch->arp_fd = lan_socket(at->ifindex, at->name, ETH_P_ARP, err);
	if (watch->arp_fd < 0)
		return watch->arp_fd;
	watch->neighbour_fd = lan_socket(at->ifindex, at->name, ETH_P_IPV6, err);
	r = watch->neighbour_fd < 0 ? watch->neighbour_fd
				    : filter_advertisements(watch->neighbour_fd, err);
	if (r)
		lan_watch_close(watch);
	return r;
}

void lan_watch_close(struct lan_watch *watch)
{
	if (watch->arp_fd >= 0)
		close(watch->arp_fd);
	if (watch->neighbour_fd >= 0)
		close(watch->neighbour_fd);
	watch->arp_fd = watch->neighbour_fd = -1;
}

int lan_watch_ask(const struct lan_watch *watch, const struct addr *addr, struct err *err)
{
	static const uint8_t everybody[ETH_ALEN] = { 255, 255, 255, 255, 255, 255 };
	const struct lan_watch_at *at = &watch->at;
	struct neighbour question;
	uint8_t group[ETH_ALEN];
	struct arp arp;
	size_t size;

	if (addr_is_v4(addr)) {
		/* zero where there is none: its last four bytes are, too */
		arp_put(&arp, at->mac, at->addr4.bytes + 12, addr->bytes + 12);
		return lan_send(watch->arp_fd, at->ifindex, at->name, ETH_P_ARP, everybody, &arp,
				sizeof(arp), err);
	}
	size = neighbour_put_question(&question, at->mac, at->addr6.bytes, addr->bytes, group);
	return lan_send(watch->neighbour_fd, at->ifindex, at->name, ETH_P_IPV6, group, &question,
			size, err);
}

/* The sender of either kind of ARP message has the address, unless it only probes for one. */
static int read_arp(const struct arp *arp, ssize_t size, struct addr *addr)
{
	static const uint8_t none[4];

	if (size < (ssize_t)sizeof(*arp) || arp->protocol != htons(ETH_P_IP) ||
	    arp->hardware_size != ETH_ALEN || arp->protocol_size != sizeof(arp->sender) ||
	    !memcmp(arp->sender, none, sizeof(none)))
		return 0;
	*addr = (struct addr){ .bytes = { [10] = 0xff, [11] = 0xff } };
	memcpy(addr->bytes + 12, arp->sender, sizeof(arp->sender));
	return 1;
}

/* Without its option it is a whole message too (RFC 4861 4.4). */
static int read_neighbour(const struct neighbour *message, ssize_t size, struct addr *addr)
{
	if (size < (ssize_t)offsetof(struct neighbour, option) ||
	    message->type != NEIGHBOUR_ADVERTISEMENT || message->code ||
	    message->ip.nexthdr != NEXT_ICMPV6 || message->ip.hop_limit != HOP_LIMIT)
		return 0;
	memcpy(addr->bytes, message->target, sizeof(addr->bytes));
	return 1;
}

int lan_watch_hear(const struct lan_watch *watch, int fd, struct addr *addr)
{
	union {
		struct arp arp;
		struct neighbour neighbour;
	} message;
	struct sockaddr_ll from = { 0 };
	socklen_t length = sizeof(from);
	ssize_t size = recvfrom(fd, &message, sizeof(message), MSG_DONTWAIT,
				(struct sockaddr *)&from, &length);

	if (size < 0)
		return errno == EINTR ? 0 : -errno;
	if (from.sll_pkttype == PACKET_OUTGOING || from.sll_halen != ETH_ALEN ||
	    !memcmp(from.sll_addr, watch->at.mac, ETH_ALEN))
		return 0;
	return fd == watch->arp_fd ? read_arp(&message.arp, size, addr)
				   : read_neighbour(&message.neighbour, size, addr);
}
