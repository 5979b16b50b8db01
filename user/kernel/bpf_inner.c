// SPDX-License-Identifier: GPL-2.0-only
/* The inner maps of the two-slot tables: what they are made like, and making them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_object.h"

int bpf_table_open(const struct bpf *bpf, enum bpf_table table, uint64_t generation)
{
	AUTO_CLOSE int outer = bpf_map_open(bpf, bpf_table_name(table));
	const uint32_t slot = generation & 1;
	uint32_t id;
	int fd;

	if (outer < 0)
		return outer;
	if (bpf_map_lookup_elem(outer, &slot, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

static int learn(const struct bpf *bpf, enum bpf_table table, uint64_t generation,
		 struct bpf_inner *out, uint32_t *btf_id)
{
	AUTO_CLOSE int fd = bpf_table_open(bpf, table, generation);
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return -errno;
	/* all were made with the BTF of one object, or this is none of our making */
	if (!info.btf_id || (*btf_id && *btf_id != info.btf_id))
		return -ENOENT;
	*btf_id = info.btf_id;
	*out = (struct bpf_inner){
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.flags = info.map_flags,
		.key_type_id = info.btf_key_type_id,
		.value_type_id = info.btf_value_type_id,
	};
	return 0;
}

int bpf_learn_inner(struct bpf *bpf, uint64_t generation)
{
	struct bpf_inner inner[BPF_TABLES];
	uint32_t btf_id = 0;
	int table, fd, r = 0;

	for (table = 0; !r && table < BPF_TABLES; table++)
		r = learn(bpf, table, generation, &inner[table], &btf_id);
	if (r)
		return r;
	fd = bpf_btf_get_fd_by_id(btf_id);
	if (fd < 0)
		return -errno;
	bpf_forget_inner(bpf);
	memcpy(bpf->inner, inner, sizeof(inner));
	bpf->btf_fd = fd;
	bpf->btf_fd_owned = true;
	return 0;
}

void bpf_forget_inner(struct bpf *bpf)
{
	if (bpf->btf_fd_owned)
		close(bpf->btf_fd);
	bpf->btf_fd_owned = false;
}

int bpf_inner_create(const struct bpf *bpf, enum bpf_table table, uint32_t max_entries,
		     struct err *err)
{
	const struct bpf_inner *inner = &bpf->inner[table];
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int fd;

	opts.map_flags = inner->flags;
	opts.btf_fd = bpf->btf_fd;
	opts.btf_key_type_id = inner->key_type_id;
	opts.btf_value_type_id = inner->value_type_id;
	fd = bpf_map_create(inner->type, bpf_table_name(table), inner->key_size, inner->value_size,
			    max_entries, &opts);
	return fd < 0 ? err_sys(err, -errno, "make a table for %s", bpf_table_name(table)) : fd;
}
