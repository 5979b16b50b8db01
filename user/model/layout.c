// SPDX-License-Identifier: GPL-2.0-only
#include "model/layout.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "model/decide.h"

struct addr layout_port_addr(uint8_t proto, uint16_t port)
{
	struct addr addr = { .bytes = { proto, 0, (uint8_t)(port >> 8), (uint8_t)port } };

	return addr;
}

uint8_t layout_proto(const struct addr *addr)
{
	return addr->bytes[0];
}

uint16_t layout_port(const struct addr *addr)
{
	return (uint16_t)(addr->bytes[2] << 8 | addr->bytes[3]);
}

/* ICMP has another number in each family; nothing else does. */
static uint8_t family_proto(uint8_t proto, bool v4)
{
	return proto == IPPROTO_ICMP && !v4 ? IPPROTO_ICMPV6 : proto;
}

/* "*" is every port that a packet may have, which 0 is not; without ports it is 0 alone. */
struct addr_range layout_port_range(const struct config_match *match, bool v4)
{
	uint8_t proto = family_proto(match->proto, v4);
	uint16_t first = 0, last = 0;

	if (match->has_ports) {
		first = match->port_min;
		last = match->port_max;
	} else if (decide_has_ports(proto)) {
		first = 1;
		last = UINT16_MAX;
	}
	return (struct addr_range){ layout_port_addr(proto, first), layout_port_addr(proto, last) };
}

static int lay_ports(struct layout *layout)
{
	AUTO_FREE struct class_row *rows = NULL;
	size_t i, count = layout->tables->ports.count;

	rows = mem_alloc(count + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;

	for (i = 0; i < count; i++) {
		const struct port_row *row = &layout->tables->ports.items[i];

		rows[i].prefix.addr = layout_port_addr(row->key.proto, be16toh(row->key.port));
		rows[i].prefix.len = (uint8_t)row->key.prefix_len;
		rows[i].class_id = row->class_id;
	}
	return pieces_build(rows, count, false, &layout->ports);
}

int layout_build(const struct tables *tables, struct layout *out)
{
	int r = 0, v4;

	out->tables = tables;
	for (v4 = 0; v4 < 2; v4++) {
		if (!r)
			r = pieces_build(tables->src.items, tables->src.count, v4, &out->src[v4]);
		if (!r)
			r = pieces_build(tables->dst.items, tables->dst.count, v4, &out->dst[v4]);
	}
	return r ? r : lay_ports(out);
}

void layout_free(struct layout *layout)
{
	int v4;

	for (v4 = 0; v4 < 2; v4++) {
		array_clear(&layout->src[v4]);
		array_clear(&layout->dst[v4]);
	}
	array_clear(&layout->ports);
}

bool layout_decide(const struct layout *layout, const struct decide_packet *packet, uint32_t *rule)
{
	struct addr port = layout_port_addr(packet->proto, packet->port);
	bool v4 = addr_is_v4(&packet->src);

	return decide_classes(layout->tables, pieces_find(&layout->src[v4], &packet->src)->class_id,
			      pieces_find(&layout->dst[v4], &packet->dst)->class_id,
			      pieces_find(&layout->ports, &port)->class_id, rule);
}
