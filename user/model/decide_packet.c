// SPDX-License-Identifier: GPL-2.0-only
#include "model/decide_packet.h"

#include <netinet/in.h>
#include <stdio.h>

bool decide_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

const char *decide_proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_SCTP: return "sctp";
	case IPPROTO_ICMP: return "icmp";
	case IPPROTO_ICMPV6: return "icmpv6";
	default: return NULL;
	}
}

const char *decide_packet_put(char *buf, const struct decide_packet *packet)
{
	struct endpoint to = { .addr = packet->dst, .port = packet->port };
	char src[ADDR_TEXT_SIZE], dst[ENDPOINT_TEXT_SIZE], number[16];
	const char *name = decide_proto_name(packet->proto);

	snprintf(number, sizeof(number), "proto:%u", packet->proto);
	addr_put(src, &packet->src);
	if (decide_has_ports(packet->proto))
		endpoint_put(dst, &to);
	else
		addr_put(dst, &packet->dst);
	snprintf(buf, DECIDE_PACKET_TEXT_SIZE, "%s %s -> %s", name ? name : number, src, dst);
	return buf;
}
