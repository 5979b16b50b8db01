// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_counters.h"
#include "towpath/flow.h"

int bpf_read_percpu(int fd, uint32_t key, void *out, size_t size)
{
	size_t words = size / sizeof(uint64_t), i;
	int cpus = libbpf_num_possible_cpus(), cpu;
	AUTO_FREE uint64_t *values = NULL;
	uint64_t *sum = out;

	if (cpus < 0)
		return cpus;
	values = mem_alloc((size_t)cpus, size);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &key, values))
		return -errno;

	memset(out, 0, size);
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < words; i++)
			sum[i] += values[(size_t)cpu * words + i];
	return 0;
}

static int read_reasons(const struct bpf *bpf, struct stats *out)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_drops");
	uint32_t i;
	int r = fd < 0 ? fd : 0;

	for (i = 0; !r && i < TP_REASON_COUNT; i++)
		r = bpf_read_percpu(fd, i, &out->reasons[i], sizeof(out->reasons[i]));
	return r;
}

static int add_routes(const struct bpf_counters *counters, const struct state *have,
		      struct stats *out)
{
	const struct route_info_row *row;
	int r = 0;

	array_for_each(row, &have->route_info) {
		struct stats_route *added = r ? NULL : array_add(&out->routes);

		if (!added)
			return r ? r : -ENOMEM;
		added->id = row->id;
		r = bpf_counters_read(counters, row->id, &added->counter, sizeof(added->counter));
	}
	return r;
}

static int read_routes(const struct bpf *bpf, const struct state *have, struct stats *out)
{
	struct bpf_counters counters = {};
	int r = bpf_counters_open(bpf, "tp_route_stats", &counters);

	if (!r)
		r = add_routes(&counters, have, out);
	bpf_counters_close(&counters);
	return r;
}

static int add_peers(const struct bpf_counters *counters, const struct state *have,
		     struct stats *out)
{
	const struct peer_info_row *row;
	int r = 0;

	array_for_each(row, &have->peer_info) {
		struct stats_peer *added = r ? NULL : array_add(&out->peers);

		if (!added)
			return r ? r : -ENOMEM;
		added->id = row->id;
		r = bpf_counters_read(counters, row->id, &added->counter, sizeof(added->counter));
	}
	return r;
}

static int read_peers(const struct bpf *bpf, const struct state *have, struct stats *out)
{
	struct bpf_counters counters = {};
	int r = bpf_counters_open(bpf, "tp_peer_stats", &counters);

	if (!r)
		r = add_peers(&counters, have, out);
	bpf_counters_close(&counters);
	return r;
}

static int read_cursor(const struct bpf *bpf, struct stats *out)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_slot_cursor");
	struct tp_slot_cursor cursor;
	const uint32_t zero = 0;

	if (fd < 0)
		return fd;
	if (bpf_map_lookup_elem(fd, &zero, &cursor))
		return -errno;
	out->flows_current = cursor.live;
	out->flows_refused_at = cursor.refused;
	return 0;
}

static int read_flows(const struct bpf *bpf, struct stats *out)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_flow_stats");
	int r;

	if (fd < 0)
		return fd;
	r = bpf_read_percpu(fd, 0, &out->flows, sizeof(out->flows));
	return r ? r : read_cursor(bpf, out);
}

int bpf_read_stats(const struct bpf *bpf, const struct state *have, struct stats *out,
		   struct err *err)
{
	int r = read_reasons(bpf, out);

	if (!r)
		r = read_flows(bpf, out);
	if (!r)
		r = read_routes(bpf, have, out);
	if (!r)
		r = read_peers(bpf, have, out);
	return r ? err_sys(err, r, "read the counters of instance %s", bpf->instance) : 0;
}
