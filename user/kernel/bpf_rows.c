// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_rows.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_abi.h"
#include "kernel/bpf_netns.h"

int bpf_row_set(const struct bpf *bpf, const char *map, const void *key, const void *value,
		struct err *err)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, map);

	if (fd < 0)
		return err_sys(err, fd, "open map %s", map);
	if (bpf_map_update_elem(fd, key, value, BPF_ANY))
		return err_sys(err, -errno, "write a row of %s", map);
	return 0;
}

int bpf_row_remove(const struct bpf *bpf, const char *map, const void *key, struct err *err)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, map);

	if (fd < 0)
		return err_sys(err, fd, "open map %s", map);
	if (bpf_map_delete_elem(fd, key) && errno != ENOENT)
		return err_sys(err, -errno, "remove a row of %s", map);
	return 0;
}

/* 0, or -ENOENT for no map and for no row alike. */
static int row_get(const struct bpf *bpf, const char *map, const void *key, void *value)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, map);

	if (fd < 0)
		return -ENOENT;
	return bpf_map_lookup_elem(fd, key, value) ? -ENOENT : 0;
}

int bpf_set_limits(const struct bpf *bpf, const struct tp_limits *limits, struct err *err)
{
	const uint32_t zero = 0;

	return bpf_row_set(bpf, "tp_limits", &zero, limits, err);
}

/* What attaching has noted in the row outlives a change of policy. */
static void keep_notes(const struct bpf *bpf, uint32_t ifindex, struct tp_device *row)
{
	struct tp_device before;

	if (row_get(bpf, "tp_devices", &ifindex, &before))
		return;
	row->made_qdisc = before.made_qdisc;
	row->flags |= before.flags & TP_DEV_XDP_NATIVE;
}

int bpf_set_device(const struct bpf *bpf, const struct state_device *device, struct err *err)
{
	uint32_t ifindex = device->ifindex ? device->ifindex : if_nametoindex(device->name);
	struct tp_device row = device->device;

	if (!ifindex)
		return err_sys(err, -errno, "find device %s", device->name);
	keep_notes(bpf, ifindex, &row);
	return bpf_row_set(bpf, "tp_devices", &ifindex, &row, err);
}

int bpf_remove_device(const struct bpf *bpf, uint32_t ifindex, struct err *err)
{
	return bpf_row_remove(bpf, "tp_devices", &ifindex, err);
}

static int row_of_device(const struct bpf *bpf, uint32_t ifindex, struct tp_device *row,
			 struct err *err)
{
	if (row_get(bpf, "tp_devices", &ifindex, row))
		return err_set(err, -ENOENT, "device %u has no row in tp_devices", ifindex);
	return 0;
}

int bpf_note_qdisc(const struct bpf *bpf, uint32_t ifindex, struct err *err)
{
	struct tp_device row;
	int r = row_of_device(bpf, ifindex, &row, err);

	if (r)
		return r;
	row.made_qdisc = 1;
	return bpf_row_set(bpf, "tp_devices", &ifindex, &row, err);
}

int bpf_note_xdp(const struct bpf *bpf, uint32_t ifindex, bool native, struct err *err)
{
	struct tp_device row = {};
	int r = row_of_device(bpf, ifindex, &row, err);

	if (r)
		return r;
	row.flags &= (uint16_t)~TP_DEV_XDP_NATIVE;
	if (native)
		row.flags |= TP_DEV_XDP_NATIVE;
	return bpf_row_set(bpf, "tp_devices", &ifindex, &row, err);
}

bool bpf_made_qdisc(const struct bpf *bpf, uint32_t ifindex)
{
	struct tp_device row;

	return !row_get(bpf, "tp_devices", &ifindex, &row) && row.made_qdisc;
}

static int sysctl_key(const char *path, struct tp_sysctl_key *key, struct err *err)
{
	memset(key, 0, sizeof(*key));
	if (strlen(path) >= sizeof(key->path))
		return err_set(err, -ENAMETOOLONG, "sysctl %s: name too long", path);
	memcpy(key->path, path, strlen(path));
	return 0;
}

/* The hunt for an instance beside us in this network namespace that set a sysctl, too. */
struct shared_sysctl {
	const struct bpf *bpf;
	const struct tp_sysctl_key *key;
	struct tp_sysctl *saved;
	uint64_t netns_cookie;
};

static bool has_sysctl(const char *instance, void *data)
{
	const struct shared_sysctl *shared = data;
	struct bpf other = { 0 };
	struct tp_state state = { 0 };

	if (strlen(instance) >= sizeof(other.instance))
		return false;
	memcpy(other.bpffs, shared->bpf->bpffs, sizeof(other.bpffs));
	memcpy(other.instance, instance, strlen(instance));
	/* one of another version is not understood, and counts as not there */
	return !bpf_read_state(&other, &state, NULL) &&
	       state.netns_cookie == shared->netns_cookie &&
	       !row_get(&other, "tp_sysctls", shared->key, shared->saved);
}

static bool find_shared(const struct bpf *bpf, const struct tp_sysctl_key *key,
			struct tp_sysctl *saved)
{
	struct shared_sysctl shared = { bpf, key, saved, bpf_netns_cookie() };

	return bpf_fs_any_instance(bpf->bpffs, bpf->instance, has_sysctl, &shared);
}

bool bpf_is_sysctl_shared(const struct bpf *bpf, const char *path)
{
	struct tp_sysctl saved;
	struct tp_sysctl_key key;

	return !sysctl_key(path, &key, NULL) && find_shared(bpf, &key, &saved);
}

int bpf_save_sysctl(const struct bpf *bpf, const char *path, int32_t before, int32_t set,
		    struct err *err)
{
	struct tp_sysctl row = { .before = before, .set = set }, saved;
	struct tp_sysctl_key key;
	int r = sysctl_key(path, &key, err);

	if (r)
		return r;
	if (!row_get(bpf, "tp_sysctls", &key, &saved) || find_shared(bpf, &key, &saved))
		row.before = saved.before;
	return bpf_row_set(bpf, "tp_sysctls", &key, &row, err);
}

int bpf_forget_sysctl(const struct bpf *bpf, const char *path, struct err *err)
{
	struct tp_sysctl_key key;
	int r = sysctl_key(path, &key, err);

	return r ? r : bpf_row_remove(bpf, "tp_sysctls", &key, err);
}

/* The row of a tp_state of whatever size; the caller frees it. NULL with *r negative. */
static void *state_row(int fd, struct bpf_map_info *info, int *r)
{
	const uint32_t zero = 0;
	__u32 length = sizeof(*info);
	AUTO_FREE void *row = NULL;

	*r = bpf_obj_get_info_by_fd(fd, info, &length) ? -errno : 0;
	if (*r)
		return NULL;
	if (info->type != BPF_MAP_TYPE_ARRAY || info->key_size != sizeof(zero)) {
		*r = -EBADMSG;
		return NULL;
	}
	row = mem_alloc(1, info->value_size + sizeof(struct tp_state));
	*r = !row ? -ENOMEM : bpf_map_lookup_elem(fd, &zero, row) ? -errno : 0;
	return *r ? NULL : TAKE(row);
}

int bpf_read_state(const struct bpf *bpf, struct tp_state *out, struct err *err)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_state");
	struct bpf_map_info info = { 0 };
	AUTO_FREE struct tp_state *row = NULL;
	int r = fd;

	if (fd == -ENOENT)
		return err_set(err, -ENOENT, "nothing is set up for instance %s", bpf->instance);
	if (fd >= 0)
		row = state_row(fd, &info, &r);
	if (!row)
		return err_sys(err, r, "read tp_state of instance %s", bpf->instance);
	r = bpf_abi_check(bpf, row->abi, err); /* abi is the first word of every version */
	if (!r && info.value_size != sizeof(*out) && bpf->abi != BPF_ABI_ANY)
		r = err_set(err, -EPROTO, "tp_state of instance %s is not as ABI %u has it",
			    bpf->instance, row->abi);
	if (r)
		return r;
	if (info.value_size == sizeof(*out))
		*out = *row;
	else
		*out = (struct tp_state){ .abi = row->abi };
	return 0;
}

static int fill_service(const struct backends_row *row, struct facts *facts)
{
	struct facts_service_id *id = array_add(&facts->service_ids);
	uint32_t i;

	if (!id)
		return -ENOMEM;
	memcpy(id->name, row->backends.name, sizeof(id->name));
	id->id = row->id;
	for (i = 0; i < row->backends.count && i < TP_BACKEND_MAX; i++) {
		struct facts_dead *dead;

		if (row->backends.healthy >> i & 1)
			continue;
		dead = array_add(&facts->dead);
		if (!dead)
			return -ENOMEM;
		memcpy(dead->service, row->backends.name, sizeof(dead->service));
		dead->backend = row->backends.addrs[i];
	}
	return 0;
}

int bpf_fill_ids(const struct state *have, struct facts *facts)
{
	const struct backends_row *backends;
	const struct route_info_row *route;
	const struct peer_info_row *peer;

	array_for_each(peer, &have->peer_info) {
		struct facts_id *id = array_add(&facts->peer_ids);

		if (!id)
			return -ENOMEM;
		memcpy(id->public_key.bytes, peer->info.public_key, KEY_SIZE);
		id->id = peer->id;
	}
	array_for_each(route, &have->route_info) {
		struct facts_route_id *id = array_add(&facts->route_ids);
		const char *node = state_text(have, route->node);

		if (!id || intern_add(&facts->nodes, node, strlen(node), &id->node))
			return -ENOMEM;
		id->prefix = route->prefix;
		id->id = route->id;
	}
	array_for_each(backends, &have->socket_lb.backends)
		if (fill_service(backends, facts))
			return -ENOMEM;
	return 0;
}
