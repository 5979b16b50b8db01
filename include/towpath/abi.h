/* SPDX-License-Identifier: GPL-2.0-only */
/* tp_state, the first thing either side reads. */
#ifndef TOWPATH_ABI_H
#define TOWPATH_ABI_H

#include <linux/types.h>
#include <towpath/flow.h>
#include <towpath/layout.h>

/*
 * The one row of tp_state. A packet reads generation once; its lowest bit selects the slot of
 * every two-slot table. Userspace writes it last.
 */
struct tp_state {
	__u32 abi; /* TP_ABI of whoever made the maps; with TP_ABI_MOVING, of whoever began to */
	__u32 tunnel_ifindex;
	__u64 generation;               /* 0: no policy yet, everything of the mesh is refused */
	__u8 policy_hash[TP_HASH_SIZE]; /* SHA-256 of the policy file */
	__u8 table_hash[TP_HASH_SIZE];  /* SHA-256 of the compiled tables in the live slot */
	__u8 object_hash[TP_HASH_SIZE]; /* SHA-256 of the BPF object that is attached */
	__u64 applied_at;               /* seconds since the epoch */
	__u64 netns_cookie; /* SO_NETNS_COOKIE of apply's netns; 0: not told (before 5.14) */
	__u64 nonce;        /* random: by it the egress program knows what we redirected to it */
	char node[TP_NAME_SIZE];
	char tunnel[16];  /* interface name */
	char backend[16]; /* "kernel" or "userspace" */
};

/* In tp_state.abi: programs of an older ABI are being replaced, or were until a crash. */
#define TP_ABI_MOVING (1U << 31)

/* Where tp_stages has the program that judges a policy's test packets. */
#define TP_STAGE_JUDGE 5

/* Value of tp_limits, one row: settings that follow the policy without a reload of programs. */
struct tp_limits {
	__u64 timeout[TP_FLOW_KIND_ROOM]; /* by enum tp_flow_kind; jiffies, like all times here */
	__u64 second;                     /* jiffies in a second */
	__u32 flows;                      /* at most the size of tp_flow_state */
	__u16 port_min;                   /* host byte order */
	__u16 port_max;
	__be16 tunnel_port; /* UDP port that WireGuard listens on */
	__u16 pad[3];
};

/* A sysctl that apply changed. Key of tp_sysctls: the path below /proc/sys. */
struct tp_sysctl_key {
	char path[96];
};

struct tp_sysctl {
	__s32 before; /* what `down` puts back */
	__s32 set;    /* what apply wrote; anything else now means somebody changed it since */
};

_Static_assert(sizeof(struct tp_limits) == 88, "no hole");
_Static_assert(sizeof(struct tp_state) == 232, "no hole");

#endif
