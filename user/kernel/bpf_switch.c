// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_switch.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_judge.h"
#include "kernel/bpf_netns.h"
#include "kernel/bpf_tables.h"

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

/* A new inner map with the rows of one table, put into the slot. */
static int write_table(const struct bpf *bpf, enum bpf_table table,
		       const struct bpf_tables_source *source, uint32_t slot, struct err *err)
{
	const char *name = bpf_table_name(table);
	AUTO_CLOSE int outer = bpf_map_open(bpf, name);
	AUTO_CLOSE int inner = -1;
	size_t count;
	int r;

	if (outer < 0)
		return err_sys(err, outer, "open map %s", name);
	r = bpf_tables_write(source, table, -1, &count);
	if (r)
		return err_sys(err, r, "count the rows of table %s", name);
	/* all of tp_rule_stats are of one size: a per-CPU inner map may not vary */
	if (table == TABLE_RULE_STATS)
		count = TP_RULE_MAX;
	inner = bpf_inner_create(bpf, table, count ? (uint32_t)count : 1, err);
	if (inner < 0)
		return inner;

	r = bpf_tables_write(source, table, inner, &count);
	if (!r && bpf_map_update_elem(outer, &slot, &inner, BPF_ANY))
		r = -errno;
	return r ? err_sys(err, r, "write table %s", name) : 0;
}

static bool is_lacking(const struct bpf *bpf, enum bpf_table table, uint64_t generation)
{
	AUTO_CLOSE int fd = bpf_table_open(bpf, table, generation);

	return fd == -ENOENT;
}

/*
 * Replacing an inner map waits for the programs that still use it (the kernel's
 * maybe_wait_bpf_programs), so nobody reads the slot that is being filled. lacking: only what has
 * nothing in that slot.
 */
static int write_tables(const struct bpf *bpf, const struct tables *tables, uint64_t generation,
			bool lacking, struct err *err)
{
	struct bpf_tables_source source;
	int table, r = bpf_tables_begin(&source, tables);

	if (r)
		err_sys(err, r, "cut the routes");
	for (table = 0; !r && table < BPF_TABLES; table++)
		if (!lacking || is_lacking(bpf, table, generation))
			r = write_table(bpf, table, &source, (uint32_t)(generation & 1), err);
	bpf_tables_end(&source);
	return r;
}

static uint64_t next_generation(const struct tp_state *state)
{
	return __atomic_load_n(&state->generation, __ATOMIC_ACQUIRE) + 1;
}

/*
 * Beside the live generation. Of that one, only tables that have none: their outer maps are new,
 * and no program that is attached reads them (all after a take-over, or one that was lost).
 */
int bpf_stage_policy(const struct bpf *bpf, const struct state *want, struct err *err)
{
	uint64_t generation;
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;
	generation = next_generation(state);
	state_unmap(state);

	r = write_tables(bpf, &want->tables, generation, false, err);
	if (!r)
		r = bpf_judge_probes(bpf, generation, &want->tables, err);
	if (!r && generation > 1)
		r = write_tables(bpf, &want->tables, generation - 1, true, err);
	return r;
}

int bpf_switch_policy(const struct bpf *bpf, const struct state *want, struct err *err)
{
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;

	/* killed in between: the zeroes differ from any wanted hash, so it is done again */
	memset(state->table_hash, 0, HASH_SIZE);
	__atomic_fetch_add(&state->generation, 1, __ATOMIC_SEQ_CST);
	memcpy(state->table_hash, want->tables.hash, HASH_SIZE);
	state_unmap(state);
	return 0;
}

/* By two: the slots are the same, also for an apply that fills the idle ones just now. */
int bpf_look_again(const struct bpf *bpf, struct err *err)
{
	__u64 generation;
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;
	generation = __atomic_load_n(&state->generation, __ATOMIC_ACQUIRE);
	if (generation)
		__atomic_compare_exchange_n(&state->generation, &generation, generation + 2, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
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

int bpf_forget_object(const struct bpf *bpf, struct err *err)
{
	int r;
	struct tp_state *state = state_map(bpf, &r, err);

	if (!state)
		return r;
	memset(state->object_hash, 0, HASH_SIZE);
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
