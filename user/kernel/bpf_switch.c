// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_switch.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_judge.h"
#include "kernel/bpf_netns.h"

#define BATCH 1024

/*
 * tp_state's row in our memory, so that its words can be stored atomically; state_unmap it. NULL
 * with *r negative on failure.
 */
static struct tp_state *state_map(const struct bpf *bpf, int *r, struct err *err)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_state");
	void *page;

	if (fd < 0) {
		*r = err_sys(err, fd, "open map tp_state");
		return NULL;
	}
	page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		*r = err_sys(err, -errno, "map tp_state into memory");
		return NULL;
	}
	*r = 0;
	return page;
}

static void state_unmap(struct tp_state *state)
{
	munmap(state, (size_t)sysconf(_SC_PAGESIZE)); /* cannot fail on what mmap gave */
}

/* Rows that have been laid out one behind the other, into a map. */
static int write_batch(int fd, const void *keys, size_t key_size, const void *values,
		       size_t value_size, size_t count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	size_t done = 0;

	while (done < count) {
		__u32 step = (__u32)(count - done < BATCH ? count - done : BATCH);

		if (bpf_map_update_batch(fd, (const char *)keys + done * key_size,
					 (const char *)values + done * value_size, &step, &opts))
			return -errno;
		done += step;
	}
	return 0;
}

/* Room for count keys and values, to be filled and written. */
struct rows {
	void *keys;
	void *values;
	size_t key_size, value_size, count;
};

static int rows_make(struct rows *rows, size_t key_size, size_t value_size, size_t count)
{
	rows->key_size = key_size;
	rows->value_size = value_size;
	rows->count = count;
	rows->keys = mem_alloc(count, key_size);
	rows->values = mem_alloc(count, value_size);
	return rows->keys && rows->values ? 0 : -ENOMEM;
}

static void rows_free(struct rows *rows)
{
	free(rows->keys);
	free(rows->values);
}

static struct tp_prefix *rows_prefix(const struct rows *rows, size_t i, const struct prefix *prefix)
{
	struct tp_prefix *key = (struct tp_prefix *)rows->keys + i;

	key->prefix_len = prefix->len;
	memcpy(&key->addr, &prefix->addr, sizeof(key->addr));
	return key;
}

static int fill_classes(struct rows *rows, const struct class_row *items, size_t count)
{
	size_t i;
	int r = rows_make(rows, sizeof(struct tp_prefix), sizeof(uint32_t), count);

	for (i = 0; !r && i < count; i++) {
		rows_prefix(rows, i, &items[i].prefix);
		((uint32_t *)rows->values)[i] = items[i].class_id;
	}
	return r;
}

static int fill_ports(struct rows *rows, const struct tables *tables)
{
	size_t i;
	int r = rows_make(rows, sizeof(struct tp_port_key), sizeof(uint32_t), tables->ports.count);

	for (i = 0; !r && i < tables->ports.count; i++) {
		((struct tp_port_key *)rows->keys)[i] = tables->ports.items[i].key;
		((uint32_t *)rows->values)[i] = tables->ports.items[i].class_id;
	}
	return r;
}

static int fill_rules(struct rows *rows, const struct tables *tables)
{
	size_t i;
	int r = rows_make(rows, sizeof(uint32_t), sizeof(struct tp_rule_bits),
			  tables->classes.count);

	for (i = 0; !r && i < tables->classes.count; i++) {
		((uint32_t *)rows->keys)[i] = (uint32_t)i;
		((struct tp_rule_bits *)rows->values)[i] = tables->classes.items[i];
	}
	return r;
}

static int fill_rule_info(struct rows *rows, const struct tables *tables)
{
	size_t i;
	int r = rows_make(rows, sizeof(uint32_t), sizeof(struct tp_rule_info), tables->rules.count);

	for (i = 0; !r && i < tables->rules.count; i++) {
		((uint32_t *)rows->keys)[i] = (uint32_t)i;
		((struct tp_rule_info *)rows->values)[i] = tables->rules.items[i];
	}
	return r;
}

static size_t count_hosts(const struct tables *tables)
{
	const struct route_row *row;
	size_t count = 0;

	array_for_each(row, &tables->pieces)
		count += prefix_is_host(&row->prefix);
	return count;
}

/* Of single addresses. */
static int fill_hosts(struct rows *rows, const struct tables *tables)
{
	const struct route_row *row;
	size_t i = 0;
	int r = rows_make(rows, sizeof(struct tp_addr), sizeof(struct tp_route),
			  count_hosts(tables));

	if (r)
		return r;
	array_for_each(row, &tables->pieces) {
		if (!prefix_is_host(&row->prefix))
			continue;
		memcpy((struct tp_addr *)rows->keys + i, &row->prefix.addr, sizeof(struct tp_addr));
		((struct tp_route *)rows->values)[i++] = row->route;
	}
	return 0;
}

/* Of larger prefixes. */
static int fill_routes(struct rows *rows, const struct tables *tables)
{
	const struct route_row *row;
	size_t i = 0;
	int r = rows_make(rows, sizeof(struct tp_prefix), sizeof(struct tp_route),
			  tables->pieces.count - count_hosts(tables));

	if (r)
		return r;
	array_for_each(row, &tables->pieces) {
		if (prefix_is_host(&row->prefix))
			continue;
		rows_prefix(rows, i, &row->prefix);
		((struct tp_route *)rows->values)[i++] = row->route;
	}
	return 0;
}

static int fill_table(enum bpf_table table, const struct tables *tables, struct rows *rows)
{
	switch (table) {
	case TABLE_SRC: return fill_classes(rows, tables->src.items, tables->src.count);
	case TABLE_DST: return fill_classes(rows, tables->dst.items, tables->dst.count);
	case TABLE_PORTS: return fill_ports(rows, tables);
	case TABLE_RULES: return fill_rules(rows, tables);
	case TABLE_HOSTS: return fill_hosts(rows, tables);
	case TABLE_ROUTES: return fill_routes(rows, tables);
	case TABLE_RULE_INFO: return fill_rule_info(rows, tables);
	case TABLE_RULE_STATS: return 0; /* counters begin at zero */
	}
	return -EINVAL;
}

/* A new inner map with the rows of one table, put into the slot. */
static int write_table(const struct bpf *bpf, enum bpf_table table, const struct tables *tables,
		       uint32_t slot, struct err *err)
{
	const char *name = bpf_table_name(table);
	AUTO_CLOSE int outer = bpf_map_open(bpf, name);
	AUTO_CLOSE int inner = -1;
	struct rows rows = {};
	int r;

	if (outer < 0)
		return err_sys(err, outer, "open map %s", name);
	r = fill_table(table, tables, &rows);
	if (!r) {
		/* all of tp_rule_stats are of one size: a per-CPU inner map may not vary */
		size_t size = table == TABLE_RULE_STATS ? TP_RULE_MAX : rows.count;

		inner = bpf_inner_create(bpf, table, size ? (uint32_t)size : 1, err);
		if (inner < 0) {
			rows_free(&rows);
			return inner;
		}
		r = write_batch(inner, rows.keys, rows.key_size, rows.values, rows.value_size,
				rows.count);
	}
	if (!r && bpf_map_update_elem(outer, &slot, &inner, BPF_ANY))
		r = -errno;
	rows_free(&rows);
	return r ? err_sys(err, r, "write table %s", name) : 0;
}

static uint64_t next_generation(const struct tp_state *state)
{
	return __atomic_load_n(&state->generation, __ATOMIC_ACQUIRE) + 1;
}

/* No program uses outer maps of which one has no live table: they are new (bpf_take_over). */
static bool tables_are_new(const struct bpf *bpf, uint64_t live)
{
	bool lacking = false;
	int table;

	for (table = 0; live && !lacking && table < BPF_TABLES; table++) {
		AUTO_CLOSE int fd = bpf_table_open(bpf, table, live);

		lacking = fd == -ENOENT;
	}
	return lacking;
}

static int write_tables(const struct bpf *bpf, const struct tables *tables, uint64_t generation,
			struct err *err)
{
	int table, r = 0;

	for (table = 0; !r && table < BPF_TABLES; table++)
		r = write_table(bpf, table, tables, (uint32_t)(generation & 1), err);
	return r;
}

int bpf_stage_policy(const struct bpf *bpf, const struct state *want, struct err *err)
{
	uint64_t generation;
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;
	generation = next_generation(state);
	state_unmap(state);

	/*
	 * Replacing an inner map waits for the programs that still use it (the kernel's
	 * maybe_wait_bpf_programs), so nobody reads the slot that is being filled.
	 */
	r = write_tables(bpf, &want->tables, generation, err);
	if (!r && tables_are_new(bpf, generation - 1))
		r = write_tables(bpf, &want->tables, generation - 1, err);
	return r ? r : bpf_judge_probes(bpf, generation, &want->tables, err);
}

int bpf_switch_policy(const struct bpf *bpf, const struct state *want, struct err *err)
{
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;

	/* killed in between: the zeroes differ from any wanted hash, so it is done again */
	memset(state->table_hash, 0, HASH_SIZE);
	__atomic_store_n(&state->generation, next_generation(state), __ATOMIC_SEQ_CST);
	memcpy(state->table_hash, want->tables.hash, HASH_SIZE);
	state_unmap(state);
	return 0;
}

/* Once for the life of the maps: programs that are attached already go by it. */
static int note_nonce(struct tp_state *state)
{
	uint64_t nonce;

	if (state->nonce)
		return 0;
	do {
		if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
			return -errno;
	} while (!nonce);
	__atomic_store_n(&state->nonce, nonce, __ATOMIC_RELAXED);
	return 0;
}

int bpf_note_tunnel(const struct bpf *bpf, uint32_t ifindex, struct err *err)
{
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;
	state->netns_cookie = bpf_netns_cookie();
	r = note_nonce(state);
	if (r) {
		state_unmap(state);
		return err_sys(err, r, "get random bytes");
	}
	if (!state->abi)
		__atomic_store_n(&state->abi, TP_ABI, __ATOMIC_RELAXED);
	__atomic_store_n(&state->tunnel_ifindex, ifindex, __ATOMIC_RELEASE);
	state_unmap(state);
	return 0;
}

int bpf_note_abi(const struct bpf *bpf, uint32_t abi, struct err *err)
{
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;
	__atomic_store_n(&state->abi, abi, __ATOMIC_SEQ_CST);
	state_unmap(state);
	return 0;
}

int bpf_note_applied(const struct bpf *bpf, const struct state *want, struct err *err)
{
	static const char *const backends[] = { [STATE_BACKEND_NONE] = "",
						[STATE_BACKEND_KERNEL] = "kernel",
						[STATE_BACKEND_USERSPACE] = "userspace" };
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;
	memcpy(state->policy_hash, want->policy_hash, HASH_SIZE);
	memcpy(state->object_hash, want->object_hash, HASH_SIZE);
	snprintf(state->node, sizeof(state->node), "%s", want->node);
	snprintf(state->tunnel, sizeof(state->tunnel), "%s", want->tunnel.name);
	snprintf(state->backend, sizeof(state->backend), "%s", backends[want->tunnel.backend]);
	state->applied_at = (uint64_t)time(NULL);
	state_unmap(state);
	return 0;
}
