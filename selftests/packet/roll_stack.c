// SPDX-License-Identifier: GPL-2.0-only
/* The little that test_property.c needs of a router's stack. */
#include <string.h>

#include "roll.h"
#include "wire.h"
#include "world.h"

static const uint8_t next_mac[6] = { 2, 0, 0, 0, 0, 0x10 };

static void lower_ttl(uint8_t *ip, const struct wire *w)
{
	if (w->family == V4)
		ip[8]--;
	else
		ip[7]--;
	wire_mend_header(ip, w->length);
}

static void put_offset(uint8_t *ip, size_t length, unsigned int flags_offset)
{
	ip[2] = (uint8_t)(length >> 8);
	ip[3] = (uint8_t)length;
	ip[6] = (uint8_t)(flags_offset >> 8);
	ip[7] = (uint8_t)flags_offset;
	wire_mend_header(ip, length);
}

/* RFC 791: cut behind some eights of bytes. Routers do not do that to IPv6. */
static bool cut_in_two(uint8_t frames[2][FRAME_MAX], size_t sizes[2], const struct wire *w)
{
	uint8_t *first = frames[0] + ETHERNET, *second = frames[1] + ETHERNET;
	size_t data = w->length - w->l4, at;

	if (w->family != V4 || w->fragment || first[6] & 0x40 || data < 64)
		return false;
	at = 40 + roll((uint32_t)(data - 48) / 8) * 8;
	memcpy(frames[1], frames[0], ETHERNET + w->l4);
	memcpy(second + w->l4, first + w->l4 + at, data - at);
	put_offset(first, w->l4 + at, 0x2000);
	put_offset(second, w->l4 + data - at, (unsigned int)(at / 8));
	sizes[0] = ETHERNET + w->l4 + at;
	sizes[1] = ETHERNET + w->l4 + data - at;
	return true;
}

size_t stack_forwards(const struct rolled *rolled, uint8_t frames[2][FRAME_MAX], size_t sizes[2])
{
	struct wire w;

	if (!wire_read(rolled->frame, rolled->size, &w) || w.ttl < 2 ||
	    w.length + ETHERNET > FRAME_MAX)
		return 0;
	packet_put_ethernet(frames[0], next_mac, world_mac(LAN0), w.family);
	memcpy(frames[0] + ETHERNET, rolled->frame, w.length);
	sizes[0] = ETHERNET + w.length;
	lower_ttl(frames[0] + ETHERNET, &w);
	return roll(2) && cut_in_two(frames, sizes, &w) ? 2 : 1;
}
