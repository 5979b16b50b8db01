// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <string.h>

#include "dump_state.h"

static void dump_class(FILE *out, size_t class_id, const struct tp_rule_bits *bits)
{
	const char *separator = " ";
	unsigned int rule, set = 0;

	for (rule = 0; rule < TP_RULE_WORDS; rule++)
		set += (unsigned int)__builtin_popcountll(bits->words[rule]);
	fprintf(out, "class %zu:", class_id);
	if (set == TP_RULE_MAX) {
		fprintf(out, " all\n");
		return;
	}
	for (rule = 0; rule < TP_RULE_MAX; rule++) {
		if (!(bits->words[rule / 64] >> (rule % 64) & 1))
			continue;
		fprintf(out, "%s%u", separator, rule);
		separator = ",";
	}
	fprintf(out, "\n");
}

static void dump_rows(FILE *out, const char *name, const struct class_row *rows, size_t count)
{
	char text[PREFIX_TEXT_SIZE];
	size_t i;

	for (i = 0; i < count; i++)
		fprintf(out, "%s %s class %u\n", name, prefix_put(text, &rows[i].prefix),
			rows[i].class_id);
}

static void dump_ports(FILE *out, const struct tables *tables)
{
	const struct port_row *row;

	array_for_each(row, &tables->ports)
		fprintf(out, "port proto %u port %u len %u class %u\n", row->key.proto,
			be16toh(row->key.port), row->key.prefix_len, row->class_id);
}

static void dump_route(FILE *out, const struct route_row *row)
{
	static const char *const kinds[] = { "none", "mesh",      "lan",    "self",
					     "host", "broadcast", "service" };
	static const char *const snats[] = { "none", "masquerade", "address" };
	char prefix[PREFIX_TEXT_SIZE], addr[ADDR_TEXT_SIZE];
	const struct tp_route *route = &row->route;
	struct addr snat;

	memcpy(&snat, &route->snat_addr, sizeof(snat));
	fprintf(out, "tp-route %s %s id %u peer %u mtu %u", prefix_put(prefix, &row->prefix),
		kinds[route->kind], route->id, route->peer, route->mtu);
	if (route->kind == TP_ROUTE_LAN)
		fprintf(out, " snat %s", snats[route->snat]);
	if (route->snat == TP_SNAT_ADDRESS)
		fprintf(out, " %s", addr_put(addr, &snat));
	if (route->flags & TP_ROUTE_EXIT)
		fprintf(out, " exit");
	if (route->flags & TP_ROUTE_LOCAL_VIP)
		fprintf(out, " local-vip");
	if (route->flags & TP_ROUTE_OWN)
		fprintf(out, " own");
	if (route->expires_at)
		fprintf(out, " expires %llu", (unsigned long long)route->expires_at);
	fprintf(out, "\n");
}

void dump_rules(FILE *out, const struct tables *tables)
{
	const struct tp_rule_info *rule;
	size_t i;

	for (i = 0; i < tables->rules.count; i++) {
		rule = &tables->rules.items[i];
		fprintf(out, "rule %zu grant %u: %s\n", i, rule->grant, rule->text);
	}
	for (i = 0; i < tables->classes.count; i++)
		dump_class(out, i, &tables->classes.items[i]);
	dump_rows(out, "src", tables->src.items, tables->src.count);
	dump_rows(out, "dst", tables->dst.items, tables->dst.count);
	dump_ports(out, tables);
}

void dump_tables(FILE *out, const struct tables *tables)
{
	const struct route_row *route;

	dump_rules(out, tables);
	array_for_each(route, &tables->routes)
		dump_route(out, route);
}
