// SPDX-License-Identifier: GPL-2.0-only
/* Reading our maps back into a state: what have is made of, as far as BPF goes. */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_abi.h"
#include "kernel/bpf_live.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_service.h"
#include "kernel/bpf_size.h"
#include "kernel/sysctl.h"

#define BATCH 512 /* rows that a system call brings */

static int take_device(const void *key, const void *value, struct state *have)
{
	struct state_device *row = array_add(&have->devices);

	if (!row)
		return -ENOMEM;
	memcpy(&row->ifindex, key, sizeof(row->ifindex));
	memcpy(&row->device, value, sizeof(row->device));
	if (if_indextoname(row->ifindex, row->name))
		return 0;
	if (errno != ENXIO)
		return -errno;
	/* a device that is gone keeps a name that no device can have, so that the row goes too */
	snprintf(row->name, sizeof(row->name), "gone:%u", row->ifindex);
	return 0;
}

static int take_route_info(const void *key, const void *value, struct state *have)
{
	struct route_info_row *row = array_add(&have->route_info);
	struct tp_route_info info;

	if (!row)
		return -ENOMEM;
	memcpy(&info, value, sizeof(info));
	/* whoever wrote into the map: texts end, and a prefix is no longer than its address */
	info.node[sizeof(info.node) - 1] = info.reason[sizeof(info.reason) - 1] = '\0';

	memcpy(&row->id, key, sizeof(row->id));
	memcpy(&row->prefix.addr, &info.prefix.addr, sizeof(row->prefix.addr));
	row->prefix.len = info.prefix.prefix_len < 128 ? (uint8_t)info.prefix.prefix_len : 128;
	row->state = info.state;
	row->approved = info.approved;
	row->snat = info.snat;
	memcpy(&row->snat_addr, &info.snat_addr, sizeof(row->snat_addr));
	if (state_add_text(have, info.node, &row->node) ||
	    state_add_text(have, info.reason, &row->reason))
		return -ENOMEM;
	return 0;
}

static int take_sysctl(const void *key, const void *value, struct state *have)
{
	struct state_sysctl *row = array_add(&have->sysctls);
	struct tp_sysctl saved;

	if (!row)
		return -ENOMEM;
	memcpy(&saved, value, sizeof(saved));
	memcpy(row->path, key, sizeof(row->path));
	row->before = saved.before;
	row->set = saved.set;
	/* the device may be gone: then there is nothing to put back */
	row->saved = !sysctl_read(row->path, &row->value, NULL);
	return 0;
}

static int take_plain(const struct bpf_rows *table, const char *key, const char *value,
		      struct state *have)
{
	ARRAY_OF(char) *array = (void *)((char *)have + table->array);
	char *row = array_grow((void **)&array->items, &array->count, &array->capacity,
			       table->row_size);

	if (!row)
		return -ENOMEM;
	memcpy(row + table->key_at, key, table->key_size);
	memcpy(row + table->value_at, value, table->value_size);
	return 0;
}

static int take_rows(const struct bpf_rows *table, const char *keys, const char *values,
		     size_t count, struct state *have)
{
	int r = 0;

	for (size_t i = 0; !r && i < count; i++) {
		const char *key = keys + i * table->key_size;
		const char *value = values + i * table->value_size;

		r = table->take ? table->take(key, value, have)
				: take_plain(table, key, value, have);
	}
	return r;
}

int bpf_take_rows(const struct bpf *bpf, const struct bpf_rows *table, struct state *have)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, table->map);
	AUTO_FREE char *keys = mem_alloc(BATCH, table->key_size);
	AUTO_FREE char *values = mem_alloc(BATCH, table->value_size);
	uint32_t bucket, *from = NULL;
	int r, end;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!keys || !values)
		return -ENOMEM;
	do {
		uint32_t count = BATCH;

		end = bpf_map_lookup_batch(fd, from, &bucket, keys, values, &count, NULL);
		if (end && end != -ENOENT)
			return end;
		r = take_rows(table, keys, values, count, have);
		from = &bucket;
	} while (!r && !end);
	return r;
}

static int compare_devices(const void *a, const void *b)
{
	return strcmp(((const struct state_device *)a)->name,
		      ((const struct state_device *)b)->name);
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_peers(const void *a, const void *b)
{
	return compare_u32(((const struct peer_info_row *)a)->id,
			   ((const struct peer_info_row *)b)->id);
}

static int compare_routes(const void *a, const void *b)
{
	return compare_u32(((const struct route_info_row *)a)->id,
			   ((const struct route_info_row *)b)->id);
}

static int compare_sysctls(const void *a, const void *b)
{
	return strcmp(((const struct state_sysctl *)a)->path,
		      ((const struct state_sysctl *)b)->path);
}

static int compare_local_vips(const void *a, const void *b)
{
	const struct local_vip_row *x = a, *y = b;

	return memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

#define SORT(array, compare)                                                                  \
	do {                                                                                  \
		if ((array).count)                                                            \
			qsort((array).items, (array).count, sizeof(*(array).items), compare); \
	} while (0)

static const struct bpf_rows tables[] = {
	{ "tp_devices", sizeof(uint32_t), sizeof(struct tp_device), .take = take_device },
	BPF_ROWS("tp_peer_info", peer_info, struct peer_info_row, id, info),
	{ "tp_route_info", sizeof(uint32_t), sizeof(struct tp_route_info),
	  .take = take_route_info },
	{ "tp_sysctls", sizeof(struct tp_sysctl_key), sizeof(struct tp_sysctl),
	  .take = take_sysctl },
	BPF_ROWS("tp_services", socket_lb.services, struct service_row, key, service),
	BPF_ROWS("tp_backends", socket_lb.backends, struct backends_row, id, backends),
	BPF_ROWS("tp_exempt", socket_lb.exempt, struct exempt_row, cookie, exempt),
	BPF_ROWS("tp_local_vips", found_vips, struct local_vip_row, addr, vip),
};

static int read_tables(const struct bpf *bpf, struct state *have)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(tables); i++)
		r = bpf_take_rows(bpf, &tables[i], have);
	if (!r)
		r = bpf_read_foreign(bpf, have);
	bpf_read_socket_lb(bpf, &have->socket_lb.settings);
	socket_lb_sort(&have->socket_lb);
	SORT(have->devices, compare_devices);
	SORT(have->peer_info, compare_peers);
	SORT(have->route_info, compare_routes);
	SORT(have->sysctls, compare_sysctls);
	SORT(have->found_vips, compare_local_vips);
	return r;
}

/* What another instance also needs is put back when that goes. */
static void leave_shared_sysctls(const struct bpf *bpf, struct state *have)
{
	struct state_sysctl *sysctl;

	array_for_each(sysctl, &have->sysctls)
		if (bpf_is_sysctl_shared(bpf, sysctl->path))
			sysctl->saved = false;
}

static void read_limits(const struct bpf *bpf, struct state *have)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_limits");
	const uint32_t zero = 0;

	/* no map or no row: the zeroes that are there differ from any wanted limits */
	if (fd >= 0 && bpf_map_lookup_elem(fd, &zero, &have->limits))
		memset(&have->limits, 0, sizeof(have->limits));
}

int bpf_read_rows(const struct bpf *bpf, struct state *have, struct err *err)
{
	struct tp_state state;
	int r = bpf_read_state(bpf, &state, err);

	if (r)
		return r == -ENOENT ? 0 : r; /* nothing of ours: an empty have */

	have->exists = true;
	have->older_abi = bpf_abi_is_older(state.abi) ? state.abi & ~TP_ABI_MOVING : 0;
	memcpy(have->node, state.node, sizeof(have->node));
	memcpy(have->tunnel.name, state.tunnel, sizeof(have->tunnel.name));
	have->generation = state.generation;
	have->applied_at = (int64_t)state.applied_at;
	memcpy(have->policy_hash, state.policy_hash, HASH_SIZE);
	memcpy(have->object_hash, state.object_hash, HASH_SIZE);
	memcpy(have->tables.hash, state.table_hash, HASH_SIZE);
	if (!have->older_abi)
		read_limits(bpf, have);
	have->room = bpf_read_room(bpf);
	r = read_tables(bpf, have);
	leave_shared_sysctls(bpf, have);
	if (r)
		return err_sys(err, r, "read the maps of instance %s", bpf->instance);
	/* what it is for, nobody does with another version's tables */
	return bpf->abi == BPF_ABI_ANY || have->older_abi
		       ? 0
		       : bpf_read_only_logs(bpf, &have->only_logs, err);
}
