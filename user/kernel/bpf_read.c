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
#include "kernel/sysctl.h"

/* Calls read for each key of a hash map. A row that vanishes meanwhile is passed over. */
static int each_row(const struct bpf *bpf, const char *map, size_t key_size,
		    int (*read)(int fd, const void *key, struct state *have), struct state *have)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, map);
	struct tp_sysctl_key key = {}, next; /* the largest of our keys */
	void *from = NULL;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	while (!bpf_map_get_next_key(fd, from, &next)) {
		memcpy(&key, &next, key_size);
		from = &key;
		r = read(fd, &key, have);
		if (r)
			return r;
	}
	return errno == ENOENT ? 0 : -errno;
}

static int read_device(int fd, const void *key, struct state *have)
{
	struct state_device device = {};
	struct state_device *row;

	memcpy(&device.ifindex, key, sizeof(device.ifindex));
	if (bpf_map_lookup_elem(fd, key, &device.device))
		return 0;
	/* a device that is gone keeps a name that no device can have, so that the row goes too */
	if (!if_indextoname(device.ifindex, device.name))
		snprintf(device.name, sizeof(device.name), "gone:%u", device.ifindex);

	row = array_add(&have->devices);
	if (!row)
		return -ENOMEM;
	*row = device;
	return 0;
}

static int read_peer_info(int fd, const void *key, struct state *have)
{
	struct peer_info_row *row = array_add(&have->peer_info);

	if (!row)
		return -ENOMEM;
	memcpy(&row->id, key, sizeof(row->id));
	if (bpf_map_lookup_elem(fd, key, &row->info))
		have->peer_info.count--;
	return 0;
}

static int read_route_info(int fd, const void *key, struct state *have)
{
	struct route_info_row *row = array_add(&have->route_info);

	if (!row)
		return -ENOMEM;
	memcpy(&row->id, key, sizeof(row->id));
	if (bpf_map_lookup_elem(fd, key, &row->info))
		have->route_info.count--;
	return 0;
}

static int read_sysctl(int fd, const void *key, struct state *have)
{
	struct tp_sysctl saved;
	struct state_sysctl *row;

	if (bpf_map_lookup_elem(fd, key, &saved))
		return 0;
	row = array_add(&have->sysctls);
	if (!row)
		return -ENOMEM;
	memcpy(row->path, key, sizeof(row->path));
	row->before = saved.before;
	row->set = saved.set;
	/* the device may be gone: then there is nothing to put back */
	row->saved = !sysctl_read(row->path, &row->value, NULL);
	return 0;
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

#define SORT(array, compare)                                                                  \
	do {                                                                                  \
		if ((array).count)                                                            \
			qsort((array).items, (array).count, sizeof(*(array).items), compare); \
	} while (0)

static int read_tables(const struct bpf *bpf, struct state *have)
{
	int r = each_row(bpf, "tp_devices", sizeof(uint32_t), read_device, have);

	if (!r)
		r = each_row(bpf, "tp_peer_info", sizeof(uint32_t), read_peer_info, have);
	if (!r)
		r = each_row(bpf, "tp_route_info", sizeof(uint32_t), read_route_info, have);
	if (!r)
		r = each_row(bpf, "tp_sysctls", sizeof(struct tp_sysctl_key), read_sysctl, have);
	SORT(have->devices, compare_devices);
	SORT(have->peer_info, compare_peers);
	SORT(have->route_info, compare_routes);
	SORT(have->sysctls, compare_sysctls);
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
	r = read_tables(bpf, have);
	leave_shared_sysctls(bpf, have);
	if (r)
		return err_sys(err, r, "read the maps of instance %s", bpf->instance);
	/* what it is for, nobody does with another version's tables */
	return bpf->abi == BPF_ABI_ANY || have->older_abi
		       ? 0
		       : bpf_read_only_logs(bpf, &have->only_logs, err);
}
