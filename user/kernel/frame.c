// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/frame.h"

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define PAYLOAD_SIZE 16 /* behind the headers */
#define TCP_SIZE     20
#define UDP_SIZE     8
#define ICMP_SIZE    8
#define TCP_MSS_SIZE 4
#define TCP_FLAGS_AT 13
#define WINDOW       0xfaf0

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071, of 16-bit words in network byte order. */
static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t put_tcp(uint8_t *out, const struct frame *frame)
{
	size_t size = TCP_SIZE + (frame->mss ? TCP_MSS_SIZE : 0);

	out[12] = (uint8_t)(size / 4 << 4);
	out[TCP_FLAGS_AT] = frame->tcp_flags;
	put16(out + 14, WINDOW);
	if (frame->mss) {
		out[TCP_SIZE] = TCPOPT_MAXSEG;
		out[TCP_SIZE + 1] = TCPOLEN_MAXSEG;
		put16(out + TCP_SIZE + 2, frame->mss);
	}
	return size;
}

/* Everything but the checksum. A protocol that we know nothing of has zeroes. */
static size_t put_l4(uint8_t *out, const struct frame *frame)
{
	uint8_t proto = frame->packet.proto;
	size_t size = 0;

	if (decide_has_ports(proto)) {
		put16(out, frame->sport);
		put16(out + 2, frame->packet.port);
	}
	if (proto == IPPROTO_TCP) {
		size = put_tcp(out, frame);
	} else if (proto == IPPROTO_UDP) {
		size = UDP_SIZE;
		put16(out + 4, UDP_SIZE + PAYLOAD_SIZE);
	} else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		size = ICMP_SIZE;
		out[0] = proto == IPPROTO_ICMP ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;
		put16(out + 4, frame->sport);
	}
	return size + PAYLOAD_SIZE;
}

/* Where the checksum is; 0: there is none that we know. */
static size_t checksum_at(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return 16;
	case IPPROTO_UDP: return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return 2;
	default: return 0;
	}
}

static void put_l4_checksum(uint8_t *l4, size_t size, const struct decide_packet *packet)
{
	size_t at = checksum_at(packet->proto);
	uint32_t sum = 0;

	if (!at)
		return;
	if (packet->proto != IPPROTO_ICMP) { /* the mapped form adds 0xffff twice: nothing */
		sum = add_words(sum, packet->src.bytes, sizeof(packet->src.bytes));
		sum = add_words(sum, packet->dst.bytes, sizeof(packet->dst.bytes));
		sum += packet->proto + (uint32_t)size;
	}
	put16(l4 + at, fold(add_words(sum, l4, size)));
}

static size_t put_v4(uint8_t *out, const struct frame *frame, size_t size)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons((uint16_t)(sizeof(ip) + size)),
		.ttl = frame->ttl,
		.protocol = frame->packet.proto,
	};

	memcpy(&ip.saddr, frame->packet.src.bytes + 12, sizeof(ip.saddr));
	memcpy(&ip.daddr, frame->packet.dst.bytes + 12, sizeof(ip.daddr));
	memcpy(out, &ip, sizeof(ip));
	put16(out + 10, fold(add_words(0, out, sizeof(ip))));
	return sizeof(ip);
}

static size_t put_v6(uint8_t *out, const struct frame *frame, size_t size)
{
	struct ipv6hdr ip = {
		.version = 6,
		.payload_len = htons((uint16_t)size),
		.nexthdr = frame->packet.proto,
		.hop_limit = frame->ttl,
	};

	memcpy(&ip.saddr, &frame->packet.src, sizeof(ip.saddr));
	memcpy(&ip.daddr, &frame->packet.dst, sizeof(ip.daddr));
	memcpy(out, &ip, sizeof(ip));
	return sizeof(ip);
}

size_t frame_put(uint8_t *out, const struct frame *frame)
{
	bool v4 = addr_is_v4(&frame->packet.src);
	size_t header = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	uint8_t *ip = out + ETH_HLEN, *l4 = ip + header;
	size_t size;

	memset(out, 0, FRAME_SIZE_MAX);
	memcpy(out, frame->dmac, ETH_ALEN);
	put16(out + 2 * ETH_ALEN, v4 ? ETH_P_IP : ETH_P_IPV6);
	size = put_l4(l4, frame);
	put_l4_checksum(l4, size, &frame->packet);
	if (v4)
		put_v4(ip, frame, size);
	else
		put_v6(ip, frame, size);
	return ETH_HLEN + header + size;
}
