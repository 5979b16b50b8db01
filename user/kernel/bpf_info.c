// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_info.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_counters.h"

#define INFOS_TOGETHER 1024 /* the map of infos is opened once for them */

static const struct info_kind {
	enum op_kind op;
	const char *map, *counters;
} kinds[] = {
	{ OP_PEER_INFO_SET, "tp_peer_info", "tp_peer_stats" },
	{ OP_PEER_INFO_REMOVE, "tp_peer_info", "tp_peer_stats" },
	{ OP_ROUTE_INFO_SET, "tp_route_info", "tp_route_stats" },
	{ OP_ROUTE_INFO_REMOVE, "tp_route_info", "tp_route_stats" },
};

static const struct info_kind *find_kind(enum op_kind op)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].op == op)
			return &kinds[i];
	return NULL;
}

bool bpf_info_handles(enum op_kind kind)
{
	return find_kind(kind);
}

size_t bpf_info_count(const struct op *op, size_t left)
{
	size_t count = 1;

	while (count < left && count < INFOS_TOGETHER && op[count].kind == op->kind)
		count++;
	return count;
}

static int set_peer(int map, const struct peer_info_row *row)
{
	return bpf_map_update_elem(map, &row->id, &row->info, BPF_ANY) ? -errno : 0;
}

static int set_route(int map, const struct route_info_row *row, const struct state *want)
{
	struct tp_route_info info = {
		.state = row->state, .approved = row->approved, .snat = row->snat, .in_use = 1
	};

	info.prefix.prefix_len = row->prefix.len;
	memcpy(&info.prefix.addr, &row->prefix.addr, sizeof(info.prefix.addr));
	memcpy(&info.snat_addr, &row->snat_addr, sizeof(info.snat_addr));
	/* what is behind the NUL is zero */
	strncpy(info.node, state_text(want, row->node), sizeof(info.node) - 1);
	strncpy(info.reason, state_text(want, row->reason), sizeof(info.reason) - 1);
	return bpf_map_update_elem(map, &row->id, &info, BPF_ANY) ? -errno : 0;
}

/* One that is not there is removed. */
static int remove_row(int map, uint32_t id)
{
	return bpf_map_delete_elem(map, &id) && errno != ENOENT ? -errno : 0;
}

static int change_row(int map, const struct op *op, const struct state *want)
{
	switch (op->kind) {
	case OP_PEER_INFO_SET: return set_peer(map, op->args.peer_info);
	case OP_PEER_INFO_REMOVE: return remove_row(map, op->args.peer_info->id);
	case OP_ROUTE_INFO_SET: return set_route(map, op->args.route_info, want);
	default: return remove_row(map, op->args.route_info->id);
	}
}

static bool begins_anew(const struct op *op)
{
	return op->kind == OP_PEER_INFO_REMOVE || op->kind == OP_ROUTE_INFO_REMOVE ||
	       op->changes_hands;
}

static uint32_t number_of(const struct op *op)
{
	bool peer = op->kind == OP_PEER_INFO_SET || op->kind == OP_PEER_INFO_REMOVE;

	return peer ? op->args.peer_info->id : op->args.route_info->id;
}

int bpf_info_run(const struct bpf *bpf, const struct op *op, size_t count, const struct state *want,
		 struct err *err)
{
	const struct info_kind *kind = find_kind(op->kind);
	AUTO_CLOSE int map = bpf_map_open(bpf, kind->map);
	size_t i;
	int r = 0;

	if (map < 0)
		return err_sys(err, map, "open map %s", kind->map);
	for (i = 0; !r && i < count; i++) {
		if (begins_anew(&op[i]))
			r = bpf_counters_clear(bpf, kind->counters, number_of(&op[i]), err);
		if (r)
			return r;
		r = change_row(map, &op[i], want);
	}
	return r ? err_sys(err, r, "change row %u of %s", number_of(&op[i - 1]), kind->map) : 0;
}
