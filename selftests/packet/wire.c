// SPDX-License-Identifier: GPL-2.0-only
#include "wire.h"

#include <string.h>

#define MAX_EXT 8 /* IPv6 extension headers that a router must bear with; more may be refused */

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void map_v4(uint8_t out[16], const uint8_t *v4)
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, v4, 4);
}

static bool read_v4(const uint8_t *ip, size_t size, struct wire *w)
{
	size_t header;

	if (size < 20)
		return false;
	map_v4(w->src.addr, ip + 12);
	map_v4(w->dst.addr, ip + 16);
	header = (size_t)(ip[0] & 15) * 4;
	w->length = get16(ip + 2);
	if (header < 20 || w->length < header)
		return false;

	w->l4 = header;
	w->options = header > 20;
	w->ttl = ip[8];
	w->proto = ip[9];
	w->id = get16(ip + 4);
	w->more = ip[6] & 0x20;
	w->offset = (uint16_t)((get16(ip + 6) & 0x1fff) * 8);
	w->fragment = w->more || w->offset;
	return true;
}

static void read_fragment_header(const uint8_t *at, struct wire *w)
{
	w->offset = get16(at + 2) & 0xfff8;
	w->more = at[3] & 1;
	w->id = get16(at + 4) << 16 | get16(at + 6);
	w->fragment = w->more || w->offset; /* else "atomic", RFC 6946 */
}

static bool is_extension(uint8_t proto)
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 51 || proto == 60;
}

static bool read_v6(const uint8_t *ip, size_t size, struct wire *w)
{
	int n;

	if (size < 40)
		return false;
	w->length = 40 + get16(ip + 4);
	w->l4 = 40;
	w->proto = ip[6];
	w->ttl = ip[7];
	memcpy(w->src.addr, ip + 8, 16);
	memcpy(w->dst.addr, ip + 24, 16);

	for (n = 0; is_extension(w->proto) && !w->offset; n++) {
		const uint8_t *at = ip + w->l4;

		if (n == MAX_EXT || w->l4 + 8 > size)
			return false;
		if (w->proto == 43 && at[2] == 0) /* RFC 5095 */
			return false;
		if (w->proto == 44)
			read_fragment_header(at, w);
		w->l4 +=
			w->proto == 44 ? 8 : (w->proto == 51 ? (at[1] + 2u) * 4 : (at[1] + 1u) * 8);
		w->proto = at[0];
		if (w->l4 > w->length)
			return false;
	}
	return true;
}

static bool is_icmp(const struct wire *w)
{
	return w->proto == (w->family == V4 ? 1 : 58);
}

static void read_icmp(const uint8_t *l4, struct wire *w)
{
	bool v4 = w->family == V4;

	w->icmp_type = l4[0];
	w->query = l4[0] == (v4 ? 8 : 128);
	w->reply = l4[0] == (v4 ? 0 : 129);
	w->error = v4 ? l4[0] == 3 || l4[0] == 11 || l4[0] == 12 : l4[0] >= 1 && l4[0] <= 4;
	if (w->query || w->reply) {
		w->ports = true;
		w->src.port = w->dst.port = (uint16_t)get16(l4 + 4);
	}
}

/* left: bytes of transport header and data that are there. */
static bool read_l4(const uint8_t *l4, size_t left, struct wire *w)
{
	if (w->proto != 6 && w->proto != 17 && w->proto != 132 && !is_icmp(w))
		return true;
	if (left < 8)
		return false;
	if (is_icmp(w)) {
		read_icmp(l4, w);
		return true;
	}
	w->ports = w->proto != 132; /* those of SCTP may not be translated */
	w->src.port = (uint16_t)get16(l4);
	w->dst.port = (uint16_t)get16(l4 + 2);
	return true;
}

static bool l4_is_whole(const uint8_t *l4, size_t left, struct wire *w)
{
	if (w->proto == 17)
		return get16(l4 + 4) >= 8 && (w->more || get16(l4 + 4) <= left);
	if (w->proto == 6) {
		w->tcp_flags = left >= 20 ? l4[13] : 0;
		return left >= 20 && (l4[12] >> 4) * 4u >= 20 && (l4[12] >> 4) * 4u <= left;
	}
	if (w->proto == 132)
		return left >= 12;
	return true;
}

static bool read_l3(const uint8_t *ip, size_t size, struct wire *w)
{
	memset(w, 0, sizeof(*w));
	if (!size)
		return false;
	w->family = ip[0] >> 4;
	if (w->family == V4)
		return read_v4(ip, size, w);
	return w->family == V6 && read_v6(ip, size, w);
}

bool wire_read(const uint8_t *ip, size_t size, struct wire *w)
{
	if (!read_l3(ip, size, w) || w->length > size)
		return false;
	if (!wire_header_is_right(ip, w))
		return false;
	if (w->offset) /* a later fragment: what is behind the header is data */
		return true;
	return read_l4(ip + w->l4, w->length - w->l4, w) &&
	       l4_is_whole(ip + w->l4, w->length - w->l4, w);
}

bool wire_read_quote(const uint8_t *ip, size_t size, struct wire *w)
{
	if (!read_l3(ip, size, w) || w->l4 + 8 > size)
		return false;
	if (w->length > size)
		w->length = size;
	return !w->offset && read_l4(ip + w->l4, w->length - w->l4, w);
}

static uint32_t sum16(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < length; i += 2)
		sum += get16(bytes + i);
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

bool wire_header_is_right(const uint8_t *ip, const struct wire *w)
{
	return w->family == V6 || fold(sum16(ip, w->l4)) == 0xffff;
}

size_t wire_check_at(const struct wire *w)
{
	if (w->offset)
		return 0;
	if (w->proto == 6)
		return w->l4 + 16;
	if (w->proto == 17)
		return w->l4 + 6;
	return is_icmp(w) ? w->l4 + 2 : 0;
}

uint16_t wire_sum(const uint8_t *ip, const struct wire *w)
{
	size_t length = w->length - w->l4;
	uint32_t sum = sum16(ip + w->l4, length);

	if (w->proto == 17 && !get16(ip + w->l4 + 6))
		return 0;
	if (w->family == V6 || !is_icmp(w))
		sum += sum16(w->src.addr + (w->family == V4 ? 12 : 0), w->family == V4 ? 4 : 16) +
		       sum16(w->dst.addr + (w->family == V4 ? 12 : 0), w->family == V4 ? 4 : 16) +
		       (uint32_t)length + w->proto;
	return fold(sum) ? fold(sum) : 0xffff;
}

void wire_mend_header(uint8_t *ip, size_t size)
{
	size_t header = (size_t)(ip[0] & 15) * 4;

	if (ip[0] >> 4 != V4 || header < 20 || header > size)
		return;
	put16(ip + 10, 0);
	put16(ip + 10, 0xffff & ~fold(sum16(ip, header)));
}

void wire_mend_transport(uint8_t *ip, const struct wire *w)
{
	size_t at = wire_check_at(w);
	unsigned int check;

	if (!at || at + 2 > w->length)
		return;
	put16(ip + at, 0xffff); /* not 0: that is no checksum, to UDP; and adds nothing */
	check = 0xffff & ~wire_sum(ip, w);
	put16(ip + at, check ? check : 0xffff);
}

static void blank(uint8_t *ip, size_t at, size_t length)
{
	memset(ip + at, 0, length);
}

/* The MSS option of a SYN: RFC 9293 3.1. */
static void blank_mss(uint8_t *ip, const struct wire *w)
{
	size_t at = w->l4 + 20, end = w->l4 + (ip[w->l4 + 12] >> 4) * 4u;

	while (at + 1 < end && ip[at]) {
		if (ip[at] == 2 && ip[at + 1] == 4 && at + 4 <= end)
			blank(ip, at + 2, 2);
		at += ip[at] == 1 ? 1 : (ip[at + 1] < 2 ? end : ip[at + 1]);
	}
}

void wire_blank(uint8_t *ip, const struct wire *w)
{
	size_t at = wire_check_at(w);

	if (w->family == V4) {
		blank(ip, 8, 1);   /* TTL */
		blank(ip, 10, 10); /* checksum, addresses */
	} else {
		blank(ip, 7, 33); /* hop limit, addresses */
	}
	if (at && at + 2 <= w->length)
		blank(ip, at, 2);
	if (w->query || w->reply)
		blank(ip, w->l4 + 4, 2);
	else if (w->ports)
		blank(ip, w->l4, 4);
	if (w->proto == 6 && w->tcp_flags & SYN)
		blank_mss(ip, w);
}
