/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map, with who writes it. "user" is the towpath process; sizes marked (load) are set by
 * it before the map is made. Those of a policy are in tables.h.
 */
#ifndef BPF_LIB_MAPS_H
#define BPF_LIB_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <towpath/abi.h>
#include <towpath/addr.h>
#include <towpath/flow.h>
#include <towpath/layout.h>
#include <towpath/reason.h>
#include <towpath/route.h>
#include <towpath/stats.h>

#include "lib/pkt.h"
#include "lib/tables.h"

#define TP_REASON_ROOM 64 /* tp_drops keeps its size when reasons are added */

/* user: mapped, so that the generation is one atomic store */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct tp_state);
} tp_state SEC(".maps");

/* user */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_limits);
} tp_limits SEC(".maps");

/* user: ifindex -> what the device is to us */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_DEVICE_MAX);
	__type(key, __u32);
	__type(value, struct tp_device);
} tp_devices SEC(".maps");

/* programs insert, the sweep deletes: two entries a flow (load) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * TP_FLOW_LIMIT_DEFAULT);
	__type(key, struct tp_flow_key);
	__type(value, struct tp_flow_ref);
} tp_flows SEC(".maps");

/* programs (load). Mappable: then a page begins it, and each slot's lines are the cache's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TP_FLOW_LIMIT_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct tp_flow_state);
} tp_flow_state SEC(".maps");

/*
 * programs: a key's hash -> where its flow was last found, slot and way as one number. Only a
 * guess, for a flow has its keys with it. It is small, to stay in a CPU's cache when tp_flows
 * cannot.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TP_HINTS);
	__type(key, __u32);
	__type(value, __u32);
} tp_hints SEC(".maps");

/* programs: slots that were used and are free again (load) */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, TP_FLOW_LIMIT_DEFAULT);
	__type(value, __u32);
} tp_free_slots SEC(".maps");

/* programs: slots marked dead, in the order they died, until they may be buried (load) */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, TP_FLOW_LIMIT_DEFAULT);
	__type(value, __u32);
} tp_dead_slots SEC(".maps");

/* programs: flows that began unanswered, the oldest first (load) */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, TP_FLOW_LIMIT_DEFAULT);
	__type(value, struct tp_half_open);
} tp_half_open SEC(".maps");

/* programs */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_slot_cursor);
} tp_slot_cursor SEC(".maps");

/* programs: inside -> which mapping (load) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_FLOW_LIMIT_DEFAULT);
	__type(key, struct tp_nat_out_key);
	__type(value, struct tp_nat_out);
} tp_nat_out SEC(".maps");

/* programs: the mappings; BPF_NOEXIST is the port allocator, the last flow deletes (load) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_FLOW_LIMIT_DEFAULT);
	__type(key, struct tp_nat_in_key);
	__type(value, struct tp_nat_in);
} tp_nat_in SEC(".maps");

/* programs: how many errors they may still send, per CPU */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_bucket);
} tp_answer_rate SEC(".maps");

/*
 * programs: what later fragments need of their first. The oldest give way: 16384 datagrams on their
 * way at a time, seen coming and going, in two MiB.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TP_FRAG_MAX);
	__type(key, struct tp_frag_key);
	__type(value, struct tp_frag);
} tp_frags SEC(".maps");

/* In place of an MTU that answer.h tells: */
#define ANSWER_NO_PORT (~0U)     /* no backend: an ICMP error */
#define ANSWER_REFUSED (~0U - 1) /* no backend: a RST */
#define ANSWER_RESET   (~0U - 2) /* no such connection: a RST */

/*
 * What is too large for a program's stack. There is one for each CPU: only one packet at a time is
 * on it, from the attached program to the last one that it tail-calls.
 */
struct tp_scratch {
	/* a flow in the making, from open.h and hairpin.h for claim.h; or a copy of one */
	struct tp_flow forward;
	struct tp_flow reply;
	struct tp_flow_key forward_key;
	struct tp_flow_key reply_key;
	/* a mapping in the making, from snat.h for nat.h; nat_in_key is also for looking one up */
	struct tp_nat_out_key nat_out_key;
	struct tp_nat_in_key nat_in_key;
	struct tp_nat_in nat_in;
	struct bpf_sock_tuple sockets; /* whose local end nat_is_taken asks for */
	__u32 mapping[2];              /* for tp_flow_state */
	struct nat_hold hold;
	struct bpf_fib_lookup fib;
	/* what follows outlives scratch_start */
	struct verdict verdict;
	struct tp_flow_key inner; /* with what its destination stands for: a hairpin, a service */
	__u32 hairpin;            /* and the id of that mapping */
	__u32 answer_mtu;         /* what answer.h tells; 0: that the TTL is used up */
	__u32 answer_out; /* where to the packet was for others; 0: its destination is ours */
	struct tp_addr answer_from;
	struct {
		__u32 slot, gen; /* the closing flow that a new one takes the place of; 0: none */
	} replaces;
	struct quote quote;
	__be32 chunk[128]; /* a checksum's next bytes, as many as bpf_csum_diff takes */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_scratch);
} tp_scratch SEC(".maps");

/*
 * Never NULL, but the verifier has to be told. So it is with whatever a global function is given a
 * pointer to: what follows from that is TP_R_internal, where it ends a packet.
 */
static __always_inline struct tp_scratch *scratch_find(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tp_scratch, &zero);
}

/* programs: packets, by enum tp_reason */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TP_REASON_ROOM);
	__type(key, __u32);
	__type(value, __u64);
} tp_drops SEC(".maps");

/* programs */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_flow_counter);
} tp_flow_stats SEC(".maps");

/* programs (load) */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct tp_peer_counter);
} tp_peer_stats SEC(".maps");

/* programs (load) */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct tp_counter);
} tp_route_stats SEC(".maps");

/* programs: source of handshake initiations -> jiffies64 when its bucket is full (guard.h) */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TP_GUARD_MAX);
	__type(key, struct tp_addr);
	__type(value, __u64);
} tp_guard SEC(".maps");

/* programs: the same for each endpoint that this machine's WireGuard knows, by address and port */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TP_GUARD_MAX);
	__type(key, struct tp_endpoint);
	__type(value, __u64);
} tp_guard_known SEC(".maps");

/* user, for `status` and bpftool: names of the rows above */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_PEER_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tp_peer_info);
} tp_peer_info SEC(".maps");

/* user, likewise */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_ROUTE_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tp_route_info);
} tp_route_info SEC(".maps");

/* user: what `down` puts back */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_SYSCTL_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_sysctl_key);
	__type(value, struct tp_sysctl);
} tp_sysctls SEC(".maps");

#endif
