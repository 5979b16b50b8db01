// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_abi.h"
#include "kernel/bpf_log.h"
#include "kernel/bpf_owner.h"
#include "kernel/bpf_repin.h"
#include "kernel/bpf_size.h"
#include "kernel/bpf_take_over.h"
#include "sock_hide.skel.h"
#include "sock_lb.skel.h"
#include "tc_router.skel.h"
#include "xdp_lan.skel.h"

int bpf_open(struct bpf *bpf, const char *wanted_bpffs, const char *instance, bool make,
	     struct err *err)
{
	memset(bpf, 0, sizeof(*bpf));
	bpf_log_listen();
	snprintf(bpf->instance, sizeof(bpf->instance), "%s", instance);
	return bpf_fs_find(wanted_bpffs, make, bpf->bpffs, err);
}

static void forget_found(struct bpf *bpf)
{
	enum state_hook hook;

	for (hook = 0; hook < STATE_HOOKS; hook++) {
		if (bpf->found[hook])
			close(bpf->found[hook] - 1);
		bpf->found[hook] = 0;
	}
}

void bpf_close(struct bpf *bpf)
{
	tp_tc_router__destroy(bpf->skeleton);
	tp_xdp_lan__destroy(bpf->xdp);
	tp_sock_lb__destroy(bpf->sock_lb);
	tp_sock_hide__destroy(bpf->sock_hide);
	forget_found(bpf);
	bpf_forget_inner(bpf);
	bpf->skeleton = NULL;
	bpf->xdp = NULL;
	bpf->sock_lb = NULL;
	bpf->sock_hide = NULL;
}

/* A hash over the objects' hashes: a change of any is a change. */
void bpf_object_hash(uint8_t out[HASH_SIZE])
{
	uint8_t hashes[4][HASH_SIZE];
	const void *bytes;
	size_t size;

	bytes = tp_tc_router__elf_bytes(&size);
	hash_bytes(bytes, size, hashes[0]);
	bytes = tp_xdp_lan__elf_bytes(&size);
	hash_bytes(bytes, size, hashes[1]);
	bytes = tp_sock_lb__elf_bytes(&size);
	hash_bytes(bytes, size, hashes[2]);
	bytes = tp_sock_hide__elf_bytes(&size);
	hash_bytes(bytes, size, hashes[3]);
	hash_bytes(hashes, sizeof(hashes), out);
}

/* Kernels before 5.11 charge maps to RLIMIT_MEMLOCK; later ones ignore it. */
static void raise_memlock(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	/* EPERM without CAP_SYS_RESOURCE: then loading says what is missing */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

/*
 * libbpf reuses what is pinned at a map's pin path, and pins what it makes. But some are made anew,
 * and pinned when all went well (bpf_take_over).
 */
static int set_pin_paths(const struct bpf *bpf, struct bpf_object *object,
			 const struct bpf_renewal *renewal, struct err *err)
{
	char path[BPF_FS_PATH_SIZE];
	struct bpf_map *map;
	int r;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__is_internal(map) || bpf_is_renewed(renewal, bpf_map__name(map)))
			continue;
		bpf_fs_map_path(path, bpf->bpffs, bpf->instance, bpf_map__name(map));
		r = bpf_map__set_pin_path(map, path);
		if (r)
			return err_sys(err, r, "pin map %s", bpf_map__name(map));
	}
	return 0;
}

int bpf_program_fd(const struct bpf *bpf, enum state_hook hook)
{
	const struct bpf_program *program = NULL;

	if (bpf->found[hook])
		return bpf->found[hook] - 1;
	switch (hook) {
	case HOOK_TC_TUNNEL: program = bpf->skeleton->progs.tp_tc_tunnel; break;
	case HOOK_TC_LAN: program = bpf->skeleton->progs.tp_tc_lan; break;
	case HOOK_TC_EGRESS: program = bpf->skeleton->progs.tp_tc_egress; break;
	case HOOK_XDP_LAN: program = bpf->xdp->progs.tp_xdp_lan; break;
	}
	return bpf_program__fd(program);
}

int bpf_find(struct bpf *bpf, enum state_hook hook)
{
	int fd;

	if (bpf->found[hook])
		return 0;
	fd = bpf_find_program(bpf, state_program_name(hook));
	if (fd < 0)
		return fd;
	bpf->found[hook] = fd + 1;
	return 0;
}

static int open_unpinned(const struct bpf *bpf, const char *name)
{
	const struct state_map *map;
	int fd = -1;

	if (!bpf->have)
		return -ENOENT;
	array_for_each(map, &bpf->have->unpinned)
		if (map->id && !strcmp(map->name, name))
			fd = bpf_map_get_fd_by_id(map->id);
	return fd < 0 ? -ENOENT : fd;
}

int bpf_map_open(const struct bpf *bpf, const char *name)
{
	char path[BPF_FS_PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? open_unpinned(bpf, name) : -errno;
	if (bpf->abi == BPF_ABI_ANY && !bpf_abi_has_our_rows(name, fd))
		return -ENOENT;
	return mem_take_fd(&fd);
}

const char *bpf_table_name(enum bpf_table table)
{
	static const char *const names[BPF_TABLES] = {
		[TABLE_SRC] = "tp_src",
		[TABLE_DST] = "tp_dst",
		[TABLE_PORTS] = "tp_ports",
		[TABLE_RULES] = "tp_rules",
		[TABLE_HOSTS] = "tp_hosts",
		[TABLE_ROUTES] = "tp_routes",
		[TABLE_RULE_STATS] = "tp_rule_stats",
		[TABLE_RULE_INFO] = "tp_rule_info",
	};

	return names[table];
}

static int remember_inner(struct bpf *bpf, struct err *err)
{
	int i;

	for (i = 0; i < BPF_TABLES; i++) {
		const char *name = bpf_table_name(i);
		struct bpf_map *map = bpf_object__find_map_by_name(bpf->skeleton->obj, name);
		struct bpf_map *inner = map ? bpf_map__inner_map(map) : NULL;

		if (!inner)
			return err_set(err, -ENOENT, "table %s has no inner map", name);
		bpf->inner[i] = (struct bpf_inner){
			.type = bpf_map__type(inner),
			.key_size = bpf_map__key_size(inner),
			.value_size = bpf_map__value_size(inner),
			.flags = bpf_map__map_flags(inner),
			.key_type_id = bpf_map__btf_key_type_id(inner),
			.value_type_id = bpf_map__btf_value_type_id(inner),
		};
	}
	return 0;
}

int bpf_prepare(const struct bpf *bpf, struct bpf_object *object, const struct state *want,
		const struct bpf_renewal *renewal, struct err *err)
{
	int r = bpf_set_sizes(bpf, object, want, err);

	return r ? r : set_pin_paths(bpf, object, renewal, err);
}

static int load_router(struct bpf *bpf, const struct state *want, struct err *err)
{
	struct bpf_renewal renewal = {};
	int r = bpf_find_renewal(bpf, want, &renewal, err);

	if (r)
		return r;
	bpf->skeleton = tp_tc_router__open();
	if (!bpf->skeleton)
		return bpf_log_error(err, -errno);

	r = bpf_prepare(bpf, bpf->skeleton->obj, want, &renewal, err);
	if (!r)
		r = remember_inner(bpf, err);
	if (r)
		return r;
	r = tp_tc_router__load(bpf->skeleton);
	if (r)
		return bpf_log_error(err, r);
	bpf_forget_inner(bpf);
	bpf->btf_fd = bpf_object__btf_fd(bpf->skeleton->obj);
	r = bpf_keep_own(bpf->skeleton->obj, bpf_program__fd(bpf->skeleton->progs.tp_tc_egress),
			 err);
	return r ? r : bpf_take_over(bpf, bpf->skeleton->obj, &renewal, err);
}

int bpf_load(struct bpf *bpf, const struct state *want, struct err *err)
{
	int r;

	if (bpf->skeleton)
		return 0;

	bpf_log_begin();
	raise_memlock();
	r = bpf_fs_make_dirs(bpf->bpffs, bpf->instance, err);
	if (!r)
		r = load_router(bpf, want, err);
	if (r) {
		bpf_close(bpf);
		return r;
	}
	bpf_log_end();
	forget_found(bpf); /* from here on those that were loaded are meant */
	return 0;
}

static int load_xdp(struct bpf *bpf, const struct state *want, struct err *err)
{
	int r;

	bpf->xdp = tp_xdp_lan__open();
	if (!bpf->xdp)
		return bpf_log_error(err, -errno);

	r = bpf_prepare(bpf, bpf->xdp->obj, want, NULL, err);
	if (r)
		return r;
	r = tp_xdp_lan__load(bpf->xdp);
	return r ? bpf_log_error(err, r) : 0;
}

int bpf_load_xdp(struct bpf *bpf, const struct state *want, struct err *err)
{
	/* first, for it makes the maps: all of them are in its object */
	int r = bpf_load(bpf, want, err);

	if (r || bpf->xdp)
		return r;
	bpf_log_begin();
	r = load_xdp(bpf, want, err);
	if (r)
		tp_xdp_lan__destroy(TAKE(bpf->xdp));
	else
		bpf_log_end();
	return r;
}
