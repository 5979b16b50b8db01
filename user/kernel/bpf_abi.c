// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_abi.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "towpath/abi.h"
#include "towpath/route.h"

static uint32_t version_of(uint32_t abi)
{
	return abi & ~TP_ABI_MOVING;
}

/* 0 is an apply that did not get far. */
static bool is_ours(uint32_t abi)
{
	return !abi || abi == TP_ABI;
}

bool bpf_abi_is_older(uint32_t abi)
{
	uint32_t version = version_of(abi);

	if (is_ours(abi) || version < TP_ABI_KEPT)
		return false;
	/* begun by us and not finished: some of it may still be of any version that we keep */
	return version < TP_ABI || (version == TP_ABI && (abi & TP_ABI_MOVING));
}

static int refuse(const struct bpf *bpf, uint32_t abi, struct err *err)
{
	uint32_t version = version_of(abi);

	if (version > TP_ABI)
		return err_set(err, -EPROTO,
			       "instance %s was set up by a newer towpath (map ABI %u, this one "
			       "has %u), and nothing goes back from there: use that one, or run "
			       "`towpath down`, which ends all flows, and apply again",
			       bpf->instance, version, TP_ABI);
	if (version == TP_ABI)
		return err_set(err, -EPROTO,
			       "instance %s is half way to this version of towpath: `towpath "
			       "apply` or `run` finishes that",
			       bpf->instance);
	if (version >= TP_ABI_KEPT)
		return err_set(err, -EPROTO,
			       "instance %s was set up by an older towpath (map ABI %u, this one "
			       "has %u): `towpath apply` or `run` takes it over with its flows",
			       bpf->instance, version, TP_ABI);
	return err_set(err, -EPROTO,
		       "instance %s was set up by an older towpath (map ABI %u, this one has %u "
		       "and takes over from %u on): run `towpath down`, which ends all flows, and "
		       "apply again",
		       bpf->instance, version, TP_ABI, TP_ABI_KEPT);
}

int bpf_abi_check(const struct bpf *bpf, uint32_t abi, struct err *err)
{
	if (is_ours(abi) || bpf->abi == BPF_ABI_ANY ||
	    (bpf->abi == BPF_ABI_KEPT && bpf_abi_is_older(abi)))
		return 0;
	return refuse(bpf, abi, err);
}

/* What `down` reads. */
static const struct row_size {
	const char *map;
	uint32_t key, value;
} row_sizes[] = {
	{ "tp_devices", sizeof(uint32_t), sizeof(struct tp_device) },
	{ "tp_limits", sizeof(uint32_t), sizeof(struct tp_limits) },
	{ "tp_peer_info", sizeof(uint32_t), sizeof(struct tp_peer_info) },
	{ "tp_route_info", sizeof(uint32_t), sizeof(struct tp_route_info) },
	{ "tp_sysctls", sizeof(struct tp_sysctl_key), sizeof(struct tp_sysctl) },
};

bool bpf_abi_has_our_rows(const char *map, int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(row_sizes); i++)
		if (!strcmp(row_sizes[i].map, map))
			return !bpf_obj_get_info_by_fd(fd, &info, &length) &&
			       info.key_size == row_sizes[i].key &&
			       info.value_size == row_sizes[i].value;
	return true;
}
