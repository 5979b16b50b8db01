// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "roll_parts.h"
#include "wire.h"

static uint8_t *ip_of(struct rolled *rolled, size_t *size)
{
	size_t l2 = rig_has_ethernet(rolled->hook) ? ETHERNET : 0;

	*size = rolled->size - l2;
	return rolled->frame + l2;
}

void roll_put_payload(struct rolled *rolled, enum family family, const uint8_t *bytes, size_t size)
{
	struct wire w;
	size_t ip_size;
	uint8_t *ip = ip_of(rolled, &ip_size);

	memcpy(ip + (family == V4 ? 28 : 48), bytes, size);
	if (wire_read(ip, ip_size, &w))
		wire_mend_transport(ip, &w);
}

static void cut_or_pad(struct rolled *rolled)
{
	size_t size, at;

	ip_of(rolled, &size);
	if (roll(2)) {
		at = size > 1 ? roll((uint32_t)(size < 80 ? size : 80) - 1) + 1 : 0;
		rolled->size -= at;
		return;
	}
	at = roll(40);
	if (rolled->size + at > FRAME_MAX)
		return;
	memset(rolled->frame + rolled->size, (int)roll(256), at);
	rolled->size += at;
}

static void fragment(uint8_t *ip, enum family family, size_t size)
{
	if (family == V4 && size >= 20) {
		ip[6] = (uint8_t)((roll(2) ? 0x20 : 0) | (roll(3) ? 0 : roll(32)));
		ip[7] = (uint8_t)(roll(2) ? 0 : roll(256));
		ip[5] = (uint8_t)roll(4); /* few ids: fragments meet */
	}
}

/* An extension header, often one of fragments, between the IPv6 header and the rest. */
static void extend(struct rolled *rolled, uint8_t *ip, size_t size)
{
	static const uint8_t types[] = { 44, 44, 44, 0, 60, 43, 51, 59, 135 };
	uint8_t type = types[roll(sizeof(types))], *at = ip + 40;
	size_t payload;

	if (size < 48 || rolled->size + 8 > FRAME_MAX)
		return;
	memmove(at + 8, at, size - 40);
	memset(at, 0, 8);
	at[0] = ip[6];
	ip[6] = type;
	if (type == 44) {
		at[3] = (uint8_t)((roll(2) ? 1 : 0) | (roll(2) ? 0 : roll(32) * 8));
		at[7] = (uint8_t)roll(4);
	} else if (!roll(4)) {
		at[1] = (uint8_t)roll(6);
	}
	rolled->size += 8;
	payload = (size_t)(ip[4] << 8 | ip[5]) + 8;
	ip[4] = (uint8_t)(payload >> 8);
	ip[5] = (uint8_t)payload;
}

/* The bytes in which much is decided lie in front. */
static void set_bytes(uint8_t *ip, size_t size)
{
	uint32_t n = roll(3) + 1;
	size_t at;

	while (n--) {
		at = roll((uint32_t)(size < 100 ? size : 100));
		if (roll(2))
			ip[at] ^= (uint8_t)(1u << roll(8));
		else
			ip[at] = (uint8_t)roll(256);
	}
}

/* IPv4 options: the header grows by NOPs and an end. */
static void add_options(struct rolled *rolled, uint8_t *ip, size_t size)
{
	size_t length;

	if (size < 28 || rolled->size + 4 > FRAME_MAX || (ip[0] & 15) != 5)
		return;
	memmove(ip + 24, ip + 20, size - 20);
	memset(ip + 20, 1, 4);
	ip[0] = 0x46;
	rolled->size += 4;
	length = (size_t)(ip[2] << 8 | ip[3]) + 4;
	ip[2] = (uint8_t)(length >> 8);
	ip[3] = (uint8_t)length;
}

static void damage_once(struct rolled *rolled, enum family family)
{
	size_t size;
	uint8_t *ip = ip_of(rolled, &size);

	if (!size)
		return;
	switch (roll(6)) {
	case 0: cut_or_pad(rolled); break;
	case 1: set_bytes(ip, size); break;
	case 2: set_bytes(ip, size < 40 ? size : 40); break;
	case 3:
		if (family == V6)
			extend(rolled, ip, size);
		else
			add_options(rolled, ip, size);
		break;
	default:
		if (family == V6)
			extend(rolled, ip, size);
		else
			fragment(ip, family, size);
	}
}

void roll_damage(struct rolled *rolled, enum family family)
{
	uint32_t n = roll(4) ? 1 : 2;
	struct wire w;
	size_t size;
	uint8_t *ip;

	while (n--)
		damage_once(rolled, family);
	ip = ip_of(rolled, &size);
	if (size < 40)
		return;
	if (roll(8))
		wire_mend_header(ip, size);
	if (!roll(3) && wire_read(ip, size, &w) && !w.fragment)
		wire_mend_transport(ip, &w);
}
