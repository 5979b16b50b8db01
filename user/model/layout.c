// SPDX-License-Identifier: GPL-2.0-only
#include "model/layout.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "model/compile.h"

void layout_free(struct layout *layout)
{
	int v4;

	for (v4 = 0; v4 < 2; v4++) {
		array_clear(&layout->src[v4]);
		array_clear(&layout->dst[v4]);
	}
	array_clear(&layout->ports);
	tables_free(&layout->tables);
}

struct addr layout_port_addr(uint8_t proto, uint16_t port)
{
	struct addr addr = { .bytes = { proto, 0, (uint8_t)(port >> 8), (uint8_t)port } };

	return addr;
}

bool layout_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static int lay_ports(struct layout *layout)
{
	AUTO_FREE struct class_row *rows = NULL;
	size_t i, count = layout->tables.ports.count;

	rows = mem_alloc(count + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;

	for (i = 0; i < count; i++) {
		const struct port_row *row = &layout->tables.ports.items[i];

		rows[i].prefix.addr = layout_port_addr(row->key.proto, be16toh(row->key.port));
		rows[i].prefix.len = (uint8_t)row->key.prefix_len;
		rows[i].class_id = row->class_id;
	}
	return pieces_build(rows, count, false, &layout->ports);
}

int layout_build(const struct policy *policy, struct layout *out)
{
	struct tables *tables = &out->tables;
	int r, v4;

	out->policy = policy;
	r = compile_rules(policy, tables);
	for (v4 = 0; v4 < 2; v4++) {
		if (!r)
			r = pieces_build(tables->src.items, tables->src.count, v4, &out->src[v4]);
		if (!r)
			r = pieces_build(tables->dst.items, tables->dst.count, v4, &out->dst[v4]);
	}
	return r ? r : lay_ports(out);
}
