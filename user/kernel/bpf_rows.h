/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of our maps: written by apply, read by observe and status. */
#ifndef TP_KERNEL_BPF_ROWS_H
#define TP_KERNEL_BPF_ROWS_H

#include <stddef.h>

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/facts.h"
#include "model/state.h"

/* ---- writing; maps must be there (bpf_load) ---- */

int bpf_set_limits(const struct bpf *bpf, const struct tp_limits *limits, struct err *err);
/* ifindex 0 is looked up by name; keeps what was noted in a row that is there. */
int bpf_set_device(const struct bpf *bpf, const struct state_device *device, struct err *err);
int bpf_remove_device(const struct bpf *bpf, uint32_t ifindex, struct err *err);
int bpf_note_qdisc(const struct bpf *bpf, uint32_t ifindex, struct err *err);
/* Whether the driver runs our XDP program there: what the program may do depends on it. */
int bpf_note_xdp(const struct bpf *bpf, uint32_t ifindex, bool native, struct err *err);
/* Whether the clsact qdisc of that device is of our making. */
bool bpf_made_qdisc(const struct bpf *bpf, uint32_t ifindex);
/* Remembers what a sysctl was before its first change, by whichever instance in this netns. */
int bpf_save_sysctl(const struct bpf *bpf, const char *path, int32_t before, int32_t set,
		    struct err *err);
/* Whether another instance in this network namespace has set it, too. */
bool bpf_is_sysctl_shared(const struct bpf *bpf, const char *path);
int bpf_forget_sysctl(const struct bpf *bpf, const char *path, struct err *err);

/* One row of any map. To remove one that is not there is success. */
int bpf_row_set(const struct bpf *bpf, const char *map, const void *key, const void *value,
		struct err *err);
int bpf_row_remove(const struct bpf *bpf, const char *map, const void *key, struct err *err);

/* ---- reading; a map that is not there reads as empty ---- */

/*
 * tp_state's row; -ENOENT when nothing is set up, -EPROTO when by a version that bpf->abi does not
 * put up with. Of one whose row is of another size nothing but abi is filled.
 */
int bpf_read_state(const struct bpf *bpf, struct tp_state *out, struct err *err);
/* Fills exists, node, devices, info rows, limits, sysctls, hashes, generation and only_logs of
 * have. */
int bpf_read_rows(const struct bpf *bpf, struct state *have, struct err *err);
/*
 * How the rows of a hash map are taken over: take is called for each until it is negative; or,
 * where that is NULL, key and value are copied into a new row of an array in the state.
 */
struct bpf_rows {
	const char *map;
	size_t key_size, value_size;
	int (*take)(const void *key, const void *value, struct state *have);
	size_t array; /* in struct state; a row and, in it, the key and the value */
	size_t row_size, key_at, value_at;
};

#define BPF_ROWS(map_name, array_member, row_type, key_member, value_member)                 \
	{                                                                                    \
		.map = (map_name), .key_size = sizeof(((row_type *)0)->key_member),          \
		.value_size = sizeof(((row_type *)0)->value_member),                         \
		.array = offsetof(struct state, array_member), .row_size = sizeof(row_type), \
		.key_at = offsetof(row_type, key_member),                                    \
		.value_at = offsetof(row_type, value_member),                                \
	}

int bpf_take_rows(const struct bpf *bpf, const struct bpf_rows *table, struct state *have);
/* Fills facts->peer_ids, route_ids and service_ids from have's info rows. 0 or -ENOMEM. */
int bpf_fill_ids(const struct state *have, struct facts *facts);

#endif
