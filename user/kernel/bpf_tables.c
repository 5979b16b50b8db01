// SPDX-License-Identifier: GPL-2.0-only
/* The tables of a policy, as rows of maps. */
#include "kernel/bpf_tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define BATCH 1024 /* rows that a system call takes */

/* What a table is written of, and how. */
struct table {
	size_t key_size, value_size;
	size_t (*count)(const struct bpf_tables_source *source);
	/* the row of that number; false: it belongs into another table */
	bool (*put)(const struct bpf_tables_source *source, size_t i, void *key, void *value);
};

static void put_prefix(struct tp_prefix *key, const struct prefix *prefix)
{
	key->prefix_len = prefix->len;
	memcpy(&key->addr, &prefix->addr, sizeof(key->addr));
}

static void put_class(const struct class_row *row, void *key, void *value)
{
	put_prefix(key, &row->prefix);
	*(uint32_t *)value = row->class_id;
}

static size_t count_src(const struct bpf_tables_source *source)
{
	return source->tables->src.count;
}

static bool put_src(const struct bpf_tables_source *source, size_t i, void *key, void *value)
{
	put_class(&source->tables->src.items[i], key, value);
	return true;
}

static size_t count_dst(const struct bpf_tables_source *source)
{
	return source->tables->dst.count;
}

static bool put_dst(const struct bpf_tables_source *source, size_t i, void *key, void *value)
{
	put_class(&source->tables->dst.items[i], key, value);
	return true;
}

static size_t count_ports(const struct bpf_tables_source *source)
{
	return source->tables->ports.count;
}

static bool put_port(const struct bpf_tables_source *source, size_t i, void *key, void *value)
{
	*(struct tp_port_key *)key = source->tables->ports.items[i].key;
	*(uint32_t *)value = source->tables->ports.items[i].class_id;
	return true;
}

static size_t count_rules(const struct bpf_tables_source *source)
{
	return source->tables->classes.count;
}

static bool put_rules(const struct bpf_tables_source *source, size_t i, void *key, void *value)
{
	*(uint32_t *)key = (uint32_t)i;
	*(struct tp_rule_bits *)value = source->tables->classes.items[i];
	return true;
}

static size_t count_rule_info(const struct bpf_tables_source *source)
{
	return source->tables->rules.count;
}

static bool put_rule_info(const struct bpf_tables_source *source, size_t i, void *key, void *value)
{
	*(uint32_t *)key = (uint32_t)i;
	*(struct tp_rule_info *)value = source->tables->rules.items[i];
	return true;
}

static void put_route(const struct bpf_tables_source *source, const struct route_piece *piece,
		      struct tp_route *value)
{
	*value = source->tables->routes.items[piece->route].route;
	value->src_class = piece->src_class;
	value->dst_class = piece->dst_class;
}

static size_t count_pieces(const struct bpf_tables_source *source)
{
	return source->pieces.count;
}

/* Single addresses are in a hash; larger prefixes in a trie. */
static bool put_host(const struct bpf_tables_source *source, size_t i, void *key, void *value)
{
	const struct route_piece *piece = &source->pieces.items[i];

	if (!prefix_is_host(&piece->prefix))
		return false;
	memcpy(key, &piece->prefix.addr, sizeof(struct tp_addr));
	put_route(source, piece, value);
	return true;
}

static bool put_larger(const struct bpf_tables_source *source, size_t i, void *key, void *value)
{
	const struct route_piece *piece = &source->pieces.items[i];

	if (prefix_is_host(&piece->prefix))
		return false;
	put_prefix(key, &piece->prefix);
	put_route(source, piece, value);
	return true;
}

static const struct table tables[BPF_TABLES] = {
	[TABLE_SRC] = { sizeof(struct tp_prefix), sizeof(uint32_t), count_src, put_src },
	[TABLE_DST] = { sizeof(struct tp_prefix), sizeof(uint32_t), count_dst, put_dst },
	[TABLE_PORTS] = { sizeof(struct tp_port_key), sizeof(uint32_t), count_ports, put_port },
	[TABLE_RULES] = { sizeof(uint32_t), sizeof(struct tp_rule_bits), count_rules, put_rules },
	[TABLE_HOSTS] = { sizeof(struct tp_addr), sizeof(struct tp_route), count_pieces, put_host },
	[TABLE_ROUTES] = { sizeof(struct tp_prefix), sizeof(struct tp_route), count_pieces,
			   put_larger },
	[TABLE_RULE_INFO] = { sizeof(uint32_t), sizeof(struct tp_rule_info), count_rule_info,
			      put_rule_info },
	[TABLE_RULE_STATS] = { 0 }, /* counters begin at zero */
};

int bpf_tables_begin(struct bpf_tables_source *source, const struct tables *from)
{
	*source = (struct bpf_tables_source){ .tables = from };
	return tables_cut_routes(from, &source->pieces);
}

void bpf_tables_end(struct bpf_tables_source *source)
{
	array_clear(&source->pieces);
}

/* Keys and values that are laid out one behind the other. */
struct batch {
	char *keys, *values;
	uint32_t count;
};

static int flush(int fd, struct batch *batch)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	int r = 0;

	if (fd >= 0 && batch->count)
		r = bpf_map_update_batch(fd, batch->keys, batch->values, &batch->count, &opts);
	batch->count = 0;
	return r;
}

static int write_rows(const struct bpf_tables_source *source, const struct table *table, int fd,
		      struct batch *batch, size_t *written)
{
	size_t i, count = table->count(source);
	int r = 0;

	*written = 0;
	for (i = 0; !r && i < count; i++) {
		if (!table->put(source, i, batch->keys + batch->count * table->key_size,
				batch->values + batch->count * table->value_size))
			continue;
		++*written;
		if (++batch->count == BATCH)
			r = flush(fd, batch);
	}
	return r ? r : flush(fd, batch);
}

int bpf_tables_write(const struct bpf_tables_source *source, enum bpf_table which, int fd,
		     size_t *written)
{
	const struct table *table = &tables[which];
	AUTO_FREE char *keys = mem_alloc(BATCH, table->key_size);
	AUTO_FREE char *values = mem_alloc(BATCH, table->value_size);
	struct batch batch = { .keys = keys, .values = values };

	*written = 0;
	if (!table->count)
		return 0;
	return keys && values ? write_rows(source, table, fd, &batch, written) : -ENOMEM;
}
