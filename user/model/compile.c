// SPDX-License-Identifier: GPL-2.0-only
#include "model/compile.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "model/classify.h"
#include "model/grant_text.h"
#include "model/probes.h"

/* Which sets a rule names on one side. */
static const uint32_t *rule_sets(const struct policy_rule *rule, bool is_src, size_t *count)
{
	*count = is_src ? rule->src.count : rule->dst.count;
	return is_src ? rule->src.items : rule->dst.items;
}

/* One vector a set: the rules that name it. */
static void fill_vectors(const struct policy *policy, bool is_src, struct tp_rule_bits *vectors)
{
	size_t i, j, count;

	for (i = 0; i < policy->rules.count; i++) {
		const uint32_t *sets = rule_sets(&policy->rules.items[i], is_src, &count);

		for (j = 0; j < count; j++)
			rule_bits_set(&vectors[sets[j]], (uint32_t)i);
	}
}

static int add_set(struct classify_entries *entries, const struct policy_set *set, uint32_t owner)
{
	const struct addr_range *range;
	int r = 0;

	array_for_each(range, &set->ranges)
		if (!r)
			r = classify_add_range(entries, range, owner);
	return r;
}

static int compile_side(const struct policy *policy, struct classes *classes, bool is_src,
			struct classify_rows *rows)
{
	AUTO_FREE struct tp_rule_bits *vectors = NULL;
	struct classify_entries entries = { 0 };
	uint32_t i;
	int r = 0;

	vectors = mem_alloc(policy->sets.count, sizeof(*vectors));
	if (!vectors)
		return -ENOMEM;

	fill_vectors(policy, is_src, vectors);
	for (i = 0; !r && i < policy->sets.count; i++)
		if (vectors[i].summary)
			r = add_set(&entries, &policy->sets.items[i], i);
	if (!r)
		r = classify(classes, &entries, vectors, rows);
	array_clear(&entries);
	return r;
}

static struct addr port_addr(uint8_t proto, uint16_t port, uint8_t fill)
{
	struct addr addr;

	memset(addr.bytes, fill, sizeof(addr.bytes));
	addr.bytes[0] = proto;
	addr.bytes[1] = 0;
	addr.bytes[2] = (uint8_t)(port >> 8);
	addr.bytes[3] = (uint8_t)port;
	return addr;
}

static int add_ports(struct classify_entries *entries, uint8_t proto,
		     const struct config_match *match, uint32_t rule)
{
	uint16_t first = match->has_ports ? match->port_min : 0;
	uint16_t last = match->has_ports ? match->port_max : UINT16_MAX;
	struct addr_range range = { port_addr(proto, first, 0), port_addr(proto, last, 0xff) };
	struct prefix prefixes[ADDR_RANGE_PREFIX_MAX];
	size_t i, count;
	int r = 0;

	count = addr_range_prefixes(&range, prefixes);
	for (i = 0; !r && i < count; i++)
		r = classify_add_prefix(entries, &prefixes[i], rule);
	return r;
}

static int add_match(struct classify_entries *entries, const struct config_match *match,
		     uint32_t rule)
{
	static const struct prefix any = { .len = 0 };
	int r;

	if (match->any)
		return classify_add_prefix(entries, &any, rule);

	r = add_ports(entries, match->both ? IPPROTO_TCP : match->proto, match, rule);
	if (!r && match->both)
		r = add_ports(entries, IPPROTO_UDP, match, rule);
	if (!r && !match->both && match->proto == IPPROTO_ICMP)
		r = add_ports(entries, IPPROTO_ICMPV6, match, rule);
	return r;
}

static int add_port_rows(struct tables *out, const struct classify_rows *rows)
{
	const struct class_row *row;

	array_for_each(row, rows) {
		const uint8_t *bytes = row->prefix.addr.bytes;
		struct port_row *added = array_add(&out->ports);

		if (!added)
			return -ENOMEM;
		added->key.prefix_len = row->prefix.len;
		added->key.proto = bytes[0];
		added->key.port = htobe16((uint16_t)(bytes[2] << 8 | bytes[3]));
		added->class_id = row->class_id;
	}
	return 0;
}

static int compile_ports(const struct policy *policy, struct classes *classes, struct tables *out)
{
	AUTO_FREE struct tp_rule_bits *vectors = NULL;
	struct classify_entries entries = { 0 };
	struct classify_rows rows = { 0 };
	const struct config_match *match;
	uint32_t i;
	int r = 0;

	vectors = mem_alloc(policy->rules.count, sizeof(*vectors));
	if (!vectors && policy->rules.count)
		return -ENOMEM;

	for (i = 0; i < policy->rules.count; i++) {
		rule_bits_set(&vectors[i], i);
		array_for_each(match, &policy->rules.items[i].matches)
			if (!r)
				r = add_match(&entries, match, i);
	}
	if (!r)
		r = classify(classes, &entries, vectors, &rows);
	if (!r)
		r = add_port_rows(out, &rows);
	array_clear(&entries);
	array_clear(&rows);
	return r;
}

/* The tables of state.h have types of their own; the bytes are the same. */
static void move_rows(struct tables *out, struct classify_rows *src, struct classify_rows *dst)
{
	out->src.items = src->items;
	out->src.count = src->count;
	out->src.capacity = src->capacity;
	out->dst.items = dst->items;
	out->dst.count = dst->count;
	out->dst.capacity = dst->capacity;
}

static int add_rule_infos(const struct policy *policy, struct tables *out,
			  struct tp_rule_bits *deny)
{
	uint32_t i;

	for (i = 0; i < policy->rules.count; i++) {
		const struct policy_rule *rule = &policy->rules.items[i];
		struct tp_rule_info *info = array_add(&out->rules);

		if (!info)
			return -ENOMEM;
		info->grant = rule->grant;
		info->deny = rule->deny;
		grant_text_put(info->text, sizeof(info->text),
			       &policy->config->grants.items[rule->grant]);
		if (rule->deny)
			rule_bits_set(deny, i);
	}
	return 0;
}

static int compile_all(const struct policy *policy, struct tables *out, struct classes *classes)
{
	struct classify_rows src = { 0 }, dst = { 0 };
	int r;

	r = compile_side(policy, classes, true, &src);
	if (!r)
		r = compile_side(policy, classes, false, &dst);
	move_rows(out, &src, &dst);
	return r ? r : compile_ports(policy, classes, out);
}

int compile_rules(const struct policy *policy, struct tables *out)
{
	struct tables tables = { 0 };
	struct tp_rule_bits deny = { 0 };
	struct classes classes = { 0 };
	int r;

	if (policy->rules.count > TP_RULE_MAX)
		return -E2BIG;

	r = add_rule_infos(policy, &tables, &deny);
	if (!r)
		r = classes_begin(&classes, &tables, &deny, policy->config->enforce == ENFORCE_LOG);
	if (!r)
		r = compile_all(policy, &tables, &classes);
	classes_free(&classes);

	if (r)
		tables_free(&tables);
	else
		*out = tables;
	return r;
}

/*
 * Rows have no holes that are not zero: array_add zeroes them and only members are assigned.
 * Routes are hashed while expires_at is a date: in jiffies it would differ a little each time.
 */
static void hash_tables(struct tables *tables)
{
	uint8_t parts[6][HASH_SIZE];

	hash_bytes(tables->src.items, tables->src.count * sizeof(*tables->src.items), parts[0]);
	hash_bytes(tables->dst.items, tables->dst.count * sizeof(*tables->dst.items), parts[1]);
	hash_bytes(tables->ports.items, tables->ports.count * sizeof(*tables->ports.items),
		   parts[2]);
	hash_bytes(tables->classes.items, tables->classes.count * sizeof(*tables->classes.items),
		   parts[3]);
	hash_bytes(tables->routes.items, tables->routes.count * sizeof(*tables->routes.items),
		   parts[4]);
	hash_bytes(tables->rules.items, tables->rules.count * sizeof(*tables->rules.items),
		   parts[5]);
	hash_bytes(parts, sizeof(parts), tables->hash);
}

/* The programs have jiffies, no calendar. 0 stays "never"; what has passed becomes 1. */
static void date_to_jiffies(struct tables *tables, const struct facts *facts)
{
	struct route_row *row;

	array_for_each(row, &tables->routes) {
		int64_t left = (int64_t)row->route.expires_at - facts->now;

		if (!row->route.expires_at)
			continue;
		row->route.expires_at = left > 0 ? facts->jiffies + (uint64_t)left * facts->hz : 1;
	}
}

int compile_tables(const struct policy *policy, const struct view *view, struct tables *out)
{
	struct tables tables = { 0 };
	int r;

	r = compile_rules(policy, &tables);
	if (!r)
		r = probes_build(policy, &tables);
	if (!r)
		r = compile_routes(view, &tables);
	if (!r) {
		hash_tables(&tables);
		date_to_jiffies(&tables, view->facts);
	}
	if (r) {
		tables_free(&tables);
		return r;
	}

	*out = tables;
	return 0;
}

void tables_free(struct tables *tables)
{
	array_clear(&tables->src);
	array_clear(&tables->dst);
	array_clear(&tables->ports);
	array_clear(&tables->classes);
	array_clear(&tables->routes);
	array_clear(&tables->rules);
	array_clear(&tables->probes);
}
