// SPDX-License-Identifier: GPL-2.0-only
#include "packet.h"

#include <string.h>

#include "places.h"

#define TTL_DEFAULT 64
#define ID_DEFAULT  0x1234

uint16_t packet_port(int port, const struct ports *ports)
{
	return port < 0 ? ports->chosen[-port - 1] : (uint16_t)port;
}

#define FIRST_SEQ 0xfffffff0U /* of both sides of a TCP connection: numbers wrap soon */

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

uint32_t packet_sum(const uint8_t *bytes, size_t length, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	return sum;
}

uint16_t packet_checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static const char *payload_of(const struct packet *p, size_t *size)
{
	const char *payload = p->payload ? p->payload : "payload";

	*size = p->payload_size ? p->payload_size : strlen(payload);
	return payload;
}

static size_t put_payload(const struct packet *p, uint8_t *out)
{
	size_t size, length;
	const char *payload = payload_of(p, &size);

	length = strlen(payload) < size ? strlen(payload) : size;
	memset(out, 0, size);
	memcpy(out, payload, length);
	return size;
}

static size_t put_udp(const struct packet *p, const struct ports *ports, uint8_t *out)
{
	size_t length = 8 + put_payload(p, out + 8);

	put16(out, packet_port(p->sport, ports));
	put16(out + 2, packet_port(p->dport, ports));
	put16(out + 4, (unsigned int)length);
	return length;
}

static size_t put_tcp(const struct packet *p, const struct ports *ports, uint8_t *out)
{
	size_t header = 20 + p->options_size;

	put16(out, packet_port(p->sport, ports));
	put16(out + 2, packet_port(p->dport, ports));
	if (!p->no_seq)
		put32(out + 4, (p->tcp_flags & SYN ? FIRST_SEQ : FIRST_SEQ + 1) + (uint32_t)p->seq);
	put32(out + 8, p->tcp_flags & ACK ? FIRST_SEQ + 1 + (uint32_t)p->ack : 0);
	out[12] = (uint8_t)(header / 4 << 4);
	out[13] = p->tcp_flags;
	put16(out + 14, p->no_window ? 0 : 0xfaf0);
	if (p->options_size)
		memcpy(out + 20, p->tcp_options, p->options_size);
	return header + put_payload(p, out + header);
}

/* The common header of RFC 9260 3.1; its CRC32c is left zero, nothing here may change it. */
static size_t put_sctp(const struct packet *p, const struct ports *ports, uint8_t *out)
{
	put16(out, packet_port(p->sport, ports));
	put16(out + 2, packet_port(p->dport, ports));
	put32(out + 4, 0x01020304); /* verification tag */
	return 12 + put_payload(p, out + 12);
}

/* The quote, ended where it is to end. */
static size_t put_quote(const struct packet *p, enum family family, const struct ports *ports,
			uint8_t *out)
{
	size_t size = packet_put(p->quote, family, ports, out);
	size_t headers = (family == V4 ? 20 : 40) + p->quote->ext_size;

	size_t most = family == V4 ? 576 - 28 : 1280 - 48;

	if (p->quote_l4)
		size = headers + p->quote_l4;
	return p->quote_fits && size > most ? most : size;
}

static size_t put_icmp(const struct packet *p, enum family family, const struct ports *ports,
		       uint8_t *out)
{
	const uint8_t *type = family == V4 ? p->icmp4 : p->icmp6;

	memcpy(out, type, 2);
	if (p->echo == REQUEST)
		out[0] = family == V4 ? 8 : 128;
	if (p->echo == REPLY)
		out[0] = family == V4 ? 0 : 129;
	put16(out + 4, packet_port(p->sport, ports));
	put16(out + 6, p->echo ? 1 : 0); /* sequence number */
	if (p->quote) {
		put16(out + 4, p->rest >> 16);
		put16(out + 6, p->rest);
		return 8 + put_quote(p, family, ports, out + 8);
	}
	return 8 + put_payload(p, out + 8);
}

static uint8_t wire_proto(const struct packet *p, enum family family)
{
	if (p->proto == IPPROTO_ICMP && family == V6)
		return IPPROTO_ICMPV6;
	return (uint8_t)p->proto;
}

/* Where the transport checksum is, or 0 for a protocol that we know none of. */
static size_t checksum_offset(const struct packet *p)
{
	switch (p->proto) {
	case IPPROTO_TCP: return 16;
	case IPPROTO_UDP: return p->udp_unsummed ? 0 : 6;
	case IPPROTO_ICMP: return 2;
	default: return 0;
	}
}

/* addrs: source and destination as they are in the IP header, each of addr_size bytes. */
static void put_l4_checksum(const struct packet *p, enum family family, const uint8_t *addrs,
			    uint8_t *l4, size_t length)
{
	size_t at = checksum_offset(p);
	uint32_t sum = 0;
	uint16_t check;

	if (!at)
		return;
	if (p->proto != IPPROTO_ICMP || family == V6)
		sum = packet_sum(addrs, family == V4 ? 8 : 32, 0) + wire_proto(p, family) +
		      (uint32_t)length;
	check = packet_checksum(packet_sum(l4, length, sum));
	if (!check && p->proto == IPPROTO_UDP)
		check = 0xffff; /* 0 would mean "none" */
	put16(l4 + at, check ^ p->bad_l4_checksum);
}

static size_t put_l4(const struct packet *p, enum family family, const struct ports *ports,
		     const uint8_t *addrs, uint8_t *out)
{
	size_t length;

	memset(out, 0, 64);
	switch (p->proto) {
	case IPPROTO_UDP: length = put_udp(p, ports, out); break;
	case IPPROTO_TCP: length = put_tcp(p, ports, out); break;
	case IPPROTO_ICMP: length = put_icmp(p, family, ports, out); break;
	case IPPROTO_SCTP: length = put_sctp(p, ports, out); break;
	default: length = put_payload(p, out); break;
	}
	put_l4_checksum(p, family, addrs, out, length);
	return length;
}

static uint8_t ttl_of(const struct packet *p)
{
	if (p->ttl == TTL_ZERO)
		return 0;
	return p->ttl ? (uint8_t)p->ttl : TTL_DEFAULT;
}

static void apply_patches(const struct packet *p, uint8_t *out)
{
	size_t i;

	for (i = 0; i < sizeof(p->patch) / sizeof(p->patch[0]); i++)
		if (p->patch[i].set)
			out[p->patch[i].at] = p->patch[i].value;
}

uint16_t packet_id(const struct packet *p)
{
	if (p->no_id)
		return 0;
	return p->id ? p->id : ID_DEFAULT;
}

static bool is_piece(const struct packet *p)
{
	return p->from || p->to || p->atomic;
}

/* Leaves of the bytes what the fragment holds; returns their number. */
static size_t cut_piece(const struct packet *p, uint8_t *bytes, size_t length)
{
	size_t end = p->to ? p->to : length;

	memmove(bytes, bytes + p->from, end - p->from);
	return end - p->from;
}

/* Behind `header` bytes comes a fragment header, then what is left of `length` bytes. */
static size_t cut_ipv6(const struct packet *p, uint8_t *out, size_t header, size_t length)
{
	uint8_t *next = p->ext_size ? out + 40 : out + 6; /* of one extension header at most */
	uint8_t *fragment = out + header;

	memmove(fragment + 8, fragment, length);
	memset(fragment, 0, 8);
	fragment[0] = *next;
	*next = 44;
	put16(fragment + 2, p->from | !!p->to);
	put16(fragment + 6, packet_id(p));
	return 8 + cut_piece(p, fragment + 8, length);
}

static size_t put_ipv4(const struct packet *p, const struct ports *ports, uint8_t *out)
{
	size_t header = 20 + p->ext_size, length;

	memset(out, 0, header);
	out[0] = (uint8_t)(0x40 | header / 4);
	out[1] = p->tos;
	put16(out + 4, packet_id(p));
	put16(out + 6, p->frag);
	out[8] = ttl_of(p);
	out[9] = wire_proto(p, V4);
	places_put_addr(p->src, V4, out + 12);
	places_put_addr(p->dst, V4, out + 16);
	if (p->ext_size)
		memcpy(out + 20, p->ext, p->ext_size);

	length = put_l4(p, V4, ports, out + 12, out + header);
	if (is_piece(p) && !p->atomic) {
		put16(out + 6, p->frag | p->from / 8u | (p->to ? MORE : 0u));
		length = cut_piece(p, out + header, length);
	}
	length += header;
	put16(out + 2, (unsigned int)length);
	apply_patches(p, out);
	put16(out + 10,
	      (packet_checksum(packet_sum(out, header, 0)) + p->bad_ip_checksum) & 0xffff);
	return length;
}

static size_t put_ipv6(const struct packet *p, const struct ports *ports, uint8_t *out)
{
	size_t header = 40 + p->ext_size, length;

	memset(out, 0, header);
	out[0] = (uint8_t)(0x60 | p->tos >> 4);
	out[1] = (uint8_t)(p->tos << 4);
	out[6] = p->ext_size ? p->ext_type : wire_proto(p, V6);
	out[7] = ttl_of(p);
	places_put_addr(p->src, V6, out + 8);
	places_put_addr(p->dst, V6, out + 24);
	if (p->ext_size)
		memcpy(out + 40, p->ext, p->ext_size);

	length = put_l4(p, V6, ports, out + 8, out + header);
	if (is_piece(p))
		length = cut_ipv6(p, out, header, length);
	length += header;
	put16(out + 4, (unsigned int)(length - 40));
	apply_patches(p, out);
	return length;
}

size_t packet_put(const struct packet *packet, enum family family, const struct ports *ports,
		  uint8_t *out)
{
	size_t length = family == V4 ? put_ipv4(packet, ports, out) : put_ipv6(packet, ports, out);

	memset(out + length, 0xee, packet->trailer);
	return length + packet->trailer - packet->cut;
}

void packet_put_ethernet(uint8_t *out, const uint8_t to[6], const uint8_t from[6],
			 enum family family)
{
	memcpy(out, to, 6);
	memcpy(out + 6, from, 6);
	put16(out + 12, family == V4 ? 0x0800 : 0x86dd);
}
