/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes and fixed numbers that both sides agree on. */
#ifndef TOWPATH_LAYOUT_H
#define TOWPATH_LAYOUT_H

/*
 * Bump when the meaning or size of anything below include/towpath changes. This number and the next
 * two can be set when towpath is built, for tests of what meets another version.
 */
#ifndef TP_ABI
#define TP_ABI 16
#endif
/*
 * The oldest ABI whose maps are taken over as they are, with the flows in them. Make it TP_ABI too
 * when a map changes that kernel/bpf_take_over.c does not list: what was set up before is refused.
 * Between 13 and 14 padding got a meaning, and what was in it, zero, is right;
 * 15 has maps more, 16 maps and a stage.
 */
#ifndef TP_ABI_KEPT
#define TP_ABI_KEPT 13
#endif

#define TP_RULE_MAX       4096 /* rules of one policy; a bit each */
#define TP_RULE_WORDS     (TP_RULE_MAX / 64)
#define TP_RULE_TEXT_SIZE 248
#define TP_NAME_SIZE      64 /* a peer or node name with its NUL */
#define TP_KEY_SIZE       32 /* a WireGuard public key */
#define TP_HASH_SIZE      32 /* SHA-256 */

#define TP_SLOTS 2 /* two-slot tables: the live policy and the one being written */

/* Maps are created with these sizes unless the loader says otherwise. */
#define TP_FLOW_LIMIT_DEFAULT 262144
#define TP_PEER_MAX           16384
#define TP_ROUTE_MAX          131072
#define TP_DEVICE_MAX         256
#define TP_SYSCTL_MAX         1024
#define TP_GUARD_MAX          16384
#define TP_FRAG_MAX           16384
#define TP_LOCAL_VIP_MAX      4096
#ifndef TP_HINTS
#define TP_HINTS 16384
#endif

/*
 * Our routes carry this protocol number (rtm_protocol; rtnetlink.h leaves 5..255 to routing
 * daemons, iproute2's rt_protos does not use 116). 't'.
 */
#define TP_RTPROT 116
/*
 * And this metric. The lowest is the best: the machine's own route to the same prefix wins, whoever
 * makes it, whenever. A common one would also make it fail with EEXIST, or be joined to ours.
 */
#define TP_RT_METRIC 4000000116U

/*
 * What other nodes advertise is routed in a table of its own, behind two rules: first whatever the
 * main table has but default routes (0.0.0.0/1, 2000::/3 and the like stand for one), then this
 * table. So a LAN wins whatever the lengths, whenever it comes. Shortly before the main table's
 * own rule at 32766: policy routing with a priority that somebody chose goes first.
 */
#define TP_RT_TABLE            116
#define TP_RULE_LAN_PRIORITY   32116
#define TP_RULE_MESH_PRIORITY  32117
#define TP_RT_DEFAULT_IN_PARTS 3 /* prefixes up to this length stand for a default route */

/* Our filters on a clsact qdisc, where the kernel has no tcx. */
#define TP_TC_PRIORITY 0x7470
#define TP_TC_HANDLE   1

#endif
