// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_sandbox.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_flow.h"
#include "kernel/bpf_live.h"
#include "kernel/bpf_size.h"
#include "tc_router.skel.h"
#include "towpath/local_vip.h"

#define SLOTS       8 /* one flow needs one; the sweep wants to look at some */
#define BATCH       4096
#define COPIED_SLOT 0

struct sandbox {
	struct tp_tc_router *skeleton;
	bool copied; /* a flow, into COPIED_SLOT */
};

static struct bpf_map *find_map(const struct sandbox *sandbox, const char *name)
{
	return bpf_object__find_map_by_name(sandbox->skeleton->obj, name);
}

static int map_fd(const struct sandbox *sandbox, const char *name)
{
	return bpf_map__fd(find_map(sandbox, name));
}

/* What a packet is judged by. */
static int share_maps(const struct sandbox *sandbox, const struct bpf *bpf, struct err *err)
{
	static const char *const shared[] = { "tp_state",  "tp_limits",   "tp_devices", "tp_src",
					      "tp_dst",    "tp_ports",    "tp_rules",   "tp_hosts",
					      "tp_routes", "tp_services", "tp_backends" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shared); i++) {
		AUTO_CLOSE int fd = bpf_map_open(bpf, shared[i]);
		int r = fd < 0 ? fd : bpf_map__reuse_fd(find_map(sandbox, shared[i]), fd);

		if (r)
			return err_sys(err, r, "open map %s", shared[i]);
	}
	return 0;
}

/* What a packet leaves behind: made anew, and small, but for copies of mappings to fit in. */
static int size_maps(const struct sandbox *sandbox, const struct bpf *bpf, struct err *err)
{
	static const char *const small[] = { "tp_flows",      "tp_flow_state", "tp_free_slots",
					     "tp_dead_slots", "tp_half_open",  "tp_frags",
					     "tp_guard",      "tp_guard_known" };
	static const char *const copied[] = { "tp_nat_out", "tp_nat_in", "tp_local_vips" };
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(small); i++)
		r = bpf_map__set_max_entries(find_map(sandbox, small[i]), 2 * SLOTS);
	for (i = 0; !r && i < ARRAY_SIZE(copied); i++) {
		struct bpf_map *map = find_map(sandbox, copied[i]);

		r = bpf_map__set_max_entries(map, bpf_map_size(bpf, copied[i]) + 1);
		if (!r)
			r = bpf_map__set_map_flags(map, BPF_F_NO_PREALLOC);
	}
	return r ? err_sys(err, r, "make maps for a trace") : 0;
}

int sandbox_open(const struct bpf *bpf, struct sandbox **out, struct err *err)
{
	struct sandbox *sandbox = mem_alloc(1, sizeof(*sandbox));
	int r = 0;

	if (!sandbox)
		return err_set(err, -ENOMEM, "out of memory");
	sandbox->skeleton = tp_tc_router__open();
	if (!sandbox->skeleton)
		r = err_sys(err, -errno, "open BPF programs");
	if (!r)
		r = share_maps(sandbox, bpf, err);
	if (!r)
		r = size_maps(sandbox, bpf, err);
	if (!r) {
		r = tp_tc_router__load(sandbox->skeleton);
		if (r)
			err_sys(err, r, "load BPF programs for a trace");
	}
	if (r)
		sandbox_close(sandbox);
	else
		*out = sandbox;
	return r;
}

void sandbox_close(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	tp_tc_router__destroy(sandbox->skeleton);
	free(sandbox);
}

/* Rows that come and go meanwhile are copied or not; each is whole. */
static int copy_rows(int from, int to, size_t key_size, size_t value_size)
{
	AUTO_FREE void *keys = mem_alloc(BATCH, key_size);
	AUTO_FREE void *values = mem_alloc(BATCH, value_size);
	AUTO_FREE void *at = mem_alloc(1, key_size);
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	void *in = NULL;
	bool last;

	if (!keys || !values || !at)
		return -ENOMEM;
	do {
		__u32 count = BATCH;

		last = bpf_map_lookup_batch(from, in, at, keys, values, &count, &opts) != 0;
		if (last && errno != ENOENT)
			return -errno;
		if (count && bpf_map_update_batch(to, keys, values, &count, &opts))
			return -errno;
		in = at;
	} while (!last);
	return 0;
}

static int copy_map(const struct sandbox *sandbox, const struct bpf *bpf, const char *name,
		    size_t key_size, size_t value_size, struct err *err)
{
	AUTO_CLOSE int from = bpf_map_open(bpf, name);
	int r = from < 0 ? from : copy_rows(from, map_fd(sandbox, name), key_size, value_size);

	return r ? err_sys(err, r, "copy map %s", name) : 0;
}

int sandbox_copy_mappings(struct sandbox *sandbox, const struct bpf *bpf, struct err *err)
{
	int r = copy_map(sandbox, bpf, "tp_nat_in", sizeof(struct tp_nat_in_key),
			 sizeof(struct tp_nat_in), err);

	if (!r)
		r = copy_map(sandbox, bpf, "tp_nat_out", sizeof(struct tp_nat_out_key),
			     sizeof(struct tp_nat_out), err);
	return r ? r
		 : copy_map(sandbox, bpf, "tp_local_vips", sizeof(struct tp_addr),
			    sizeof(struct tp_local_vip), err);
}

/* As the only flow there is. */
static int put_flow(const struct sandbox *sandbox, struct tp_flow_state *state)
{
	struct tp_slot_cursor cursor = { .fresh = COPIED_SLOT + 1, .live = 1 };
	const __u32 zero = 0, slot = COPIED_SLOT;
	__u32 end;

	for (end = 0; end < ARRAY_SIZE(state->way); end++) {
		struct tp_flow_ref ref = { .slot = slot, .slot_gen = state->gen, .way = end };

		state->way[end].to.slot = slot;
		if (!(state->ways & 1 << end))
			continue;
		if (bpf_map_update_elem(map_fd(sandbox, "tp_flows"), &state->way[end].key, &ref, 0))
			return -errno;
	}
	if (bpf_map_update_elem(map_fd(sandbox, "tp_flow_state"), &slot, state, 0) ||
	    bpf_map_update_elem(map_fd(sandbox, "tp_slot_cursor"), &zero, &cursor, 0))
		return -errno;
	return 0;
}

int sandbox_copy_flow(struct sandbox *sandbox, const struct bpf *bpf, const struct tp_flow_key *key,
		      struct err *err)
{
	struct tp_flow_state state;
	int r = bpf_find_flow(bpf, key, &state, err);

	if (r <= 0)
		return r;
	r = put_flow(sandbox, &state);
	sandbox->copied = !r;
	return r ? err_sys(err, r, "copy a flow") : 1;
}

int sandbox_program_fd(const struct sandbox *sandbox, enum state_hook hook)
{
	const struct tp_tc_router *skeleton = sandbox->skeleton;

	switch (hook) {
	case HOOK_TC_TUNNEL: return bpf_program__fd(skeleton->progs.tp_tc_tunnel);
	case HOOK_TC_LAN: return bpf_program__fd(skeleton->progs.tp_tc_lan);
	case HOOK_TC_EGRESS: return bpf_program__fd(skeleton->progs.tp_tc_egress);
	case HOOK_XDP_LAN: break;
	}
	return -EINVAL;
}

int sandbox_judge_fd(const struct sandbox *sandbox)
{
	return bpf_program__fd(sandbox->skeleton->progs.tp_tc_judge);
}

int sandbox_read_reason(const struct sandbox *sandbox, enum tp_reason *out, struct err *err)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	AUTO_FREE __u64 *counts = mem_alloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*counts));
	__u32 reason;

	if (cpus < 0 || !counts)
		return err_sys(err, cpus < 0 ? cpus : -ENOMEM, "read the counters of a trace");
	for (reason = 0; reason < TP_REASON_COUNT; reason++) {
		if (bpf_map_lookup_elem(map_fd(sandbox, "tp_drops"), &reason, counts))
			return err_sys(err, -errno, "read the counters of a trace");
		for (cpu = 0; cpu < cpus; cpu++) {
			if (!counts[cpu])
				continue;
			*out = (enum tp_reason)reason;
			return 0;
		}
	}
	return err_set(err, -EBADMSG, "the programs gave no reason");
}

int sandbox_read_flow(const struct sandbox *sandbox, struct tp_flow_state *out, struct err *err)
{
	struct tp_flow_state state;
	__u32 slot;

	for (slot = 0; slot < SLOTS; slot++) {
		if (bpf_map_lookup_elem(map_fd(sandbox, "tp_flow_state"), &slot, &state))
			return err_sys(err, -errno, "read the flow of a trace");
		if (!(state.gen & 1))
			continue;
		*out = state;
		return sandbox->copied && slot == COPIED_SLOT ? 1 : 2;
	}
	return 0;
}
