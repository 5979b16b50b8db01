/* SPDX-License-Identifier: GPL-2.0-only */
/* The embedded BPF objects: loading them onto pinned maps, and opening those maps later. */
#ifndef TP_KERNEL_BPF_OBJECT_H
#define TP_KERNEL_BPF_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_fs.h"
#include "model/state.h"

struct tp_tc_router;
struct tp_xdp_lan;
struct tp_sock_lb;
struct tp_sock_hide;
struct bpf_object;
struct bpf_renewal;

/* The two-slot tables, by the name of their outer map. */
enum bpf_table {
	TABLE_SRC,
	TABLE_DST,
	TABLE_PORTS,
	TABLE_RULES,
	TABLE_HOSTS,
	TABLE_ROUTES,
	TABLE_RULE_STATS,
	TABLE_RULE_INFO,
};
#define BPF_TABLES 8

/* What an inner map is made like; libbpf forgets it once the outer map is there. */
struct bpf_inner {
	uint32_t type, key_size, value_size, flags, key_type_id, value_type_id;
};

/* Whose maps a command puts up with. */
enum bpf_abi {
	BPF_ABI_OURS, /* this version's */
	BPF_ABI_KEPT, /* and those that an apply takes over */
	BPF_ABI_ANY,  /* to remove them; a map whose rows are of another size is not there */
};

/* One instance's corner of the kernel. Zeroed by bpf_open; free with bpf_close. */
struct bpf {
	char bpffs[BPF_FS_PATH_SIZE];
	char instance[32];
	enum bpf_abi abi;              /* whoever opens it may raise this */
	struct tp_tc_router *skeleton; /* NULL until bpf_load */
	struct tp_xdp_lan *xdp;        /* NULL until bpf_load_xdp */
	struct tp_sock_lb *sock_lb;    /* NULL until bpf_load_sockets */
	struct tp_sock_hide *sock_hide;
	struct bpf_inner inner[BPF_TABLES];
	int found[STATE_HOOKS]; /* what bpf_find gave, plus one; 0: nothing */
	int btf_fd;             /* that inner's type ids are of: the skeleton's, or our own */
	bool btf_fd_owned;
	const struct state *have; /* whose unpinned maps are found by id; NULL: none are */
};

/* Takes wanted_bpffs as bpf_fs_find does. -ENOENT: no bpffs, so nothing of ours is there. */
int bpf_open(struct bpf *bpf, const char *wanted_bpffs, const char *instance, bool make,
	     struct err *err);
void bpf_close(struct bpf *bpf);

/* SHA-256 over the embedded objects: two binaries with equal programs have equal hashes. */
void bpf_object_hash(uint8_t out[HASH_SIZE]);

/*
 * Loads the tc programs; maps that are pinned are reused, the others are made and pinned. Sizes
 * come from want. Does nothing when already loaded. The verifier's last words are in err.
 */
int bpf_load(struct bpf *bpf, const struct state *want, struct err *err);
/* The same for the XDP program, which few devices run; the tc programs too if need be. */
int bpf_load_xdp(struct bpf *bpf, const struct state *want, struct err *err);

/* The objects differ in what they hold, not in how they come to their maps: sizes and pins. */
int bpf_prepare(const struct bpf *bpf, struct bpf_object *object, const struct state *want,
		const struct bpf_renewal *renewal, struct err *err);

/*
 * Takes a hook's program as it runs on some device, or did on one that is gone, so that the
 * verifier need not go through all of them once more. Only when the kernel's programs are known to
 * be those of this binary. -ENOENT, -EEXIST: then loading is the way.
 */
int bpf_find(struct bpf *bpf, enum state_hook hook);

/* A program by hook; it must have been loaded or found. */
int bpf_program_fd(const struct bpf *bpf, enum state_hook hook);

/* A new fd of a map that is pinned, or was; or -ENOENT. The caller closes it. */
int bpf_map_open(const struct bpf *bpf, const char *name);

const char *bpf_table_name(enum bpf_table table);

/* A new fd of the table that is live in that generation, or a negative errno. */
int bpf_table_open(const struct bpf *bpf, enum bpf_table table, uint64_t generation);

/*
 * Looks at the live tables for what bpf_inner_create has to know, so that a policy can be switched
 * without the verifier going through all programs once more. -ENOENT: there are none yet, or an
 * older version's; then bpf_load is the way.
 */
int bpf_learn_inner(struct bpf *bpf, uint64_t generation);

void bpf_forget_inner(struct bpf *bpf); /* bpf_close does it */

/* After either: an empty inner map for the table; its fd, which the caller closes. */
int bpf_inner_create(const struct bpf *bpf, enum bpf_table table, uint32_t max_entries,
		     struct err *err);

#endif
