/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Source NAT with endpoint-independent mapping (RFC 4787 REQ-1, RFC 5382 REQ-1): one inside
 * address and port has one outside port, whoever it talks to. Inserting into tp_nat_in with
 * BPF_NOEXIST allocates the port, so no two mappings ever share one (REQ-3).
 */
#ifndef BPF_LIB_NAT_H
#define BPF_LIB_NAT_H

#include "lib/maps.h"
#include "lib/pkt.h"

#define NAT_TRIES 64         /* ports tried for one mapping */
#define NAT_DEAD  (1U << 31) /* in tp_nat_out.flows: being deleted */

static __always_inline void nat_forget(const struct tp_nat_out_key *key, __be16 port)
{
	struct tp_nat_in_key in_key = { .outside = key->outside,
					.port = port,
					.proto = key->proto };

	bpf_map_delete_elem(&tp_nat_in, &in_key);
}

/* A flow that used the mapping is gone. key: the opener's; the last one takes it along. */
__noinline int nat_release(const struct tp_flow_key *key, const struct tp_addr *outside)
{
	struct tp_nat_out_key out_key = {};
	struct tp_nat_out *mapping;
	__be16 port;

	if (!key || !outside)
		return 0;
	out_key.inside = key->src;
	out_key.outside = *outside;
	out_key.port = key->sport;
	out_key.proto = key->proto;
	mapping = bpf_map_lookup_elem(&tp_nat_out, &out_key);
	if (!mapping)
		return 0;

	port = mapping->port;
	__sync_fetch_and_add(&mapping->flows, -1);
	/* whoever moves it from 0 to dead deletes it; nobody joins a dead one */
	if (__sync_val_compare_and_swap(&mapping->flows, 0, NAT_DEAD) != 0)
		return 0;
	bpf_map_delete_elem(&tp_nat_out, &out_key);
	nat_forget(&out_key, port);
	return 0;
}

/*
 * Uses an existing mapping. The second lookup proves that it was not deleted, and its memory
 * not handed on, between the first one and the count.
 */
static __always_inline bool nat_join(const struct tp_nat_out_key *key, __be16 *port)
{
	struct tp_nat_out *mapping = bpf_map_lookup_elem(&tp_nat_out, key);

	__u32 flows;

	if (!mapping)
		return false;
	flows = __sync_fetch_and_add(&mapping->flows, 1);
	if (!(flows & NAT_DEAD) && bpf_map_lookup_elem(&tp_nat_out, key) == mapping) {
		*port = mapping->port;
		return true;
	}
	__sync_fetch_and_add(&mapping->flows, -1);
	return false;
}

static __always_inline bool nat_port_in_range(const struct tp_limits *limits, __u16 port)
{
	return port >= limits->port_min && port <= limits->port_max;
}

/* The i-th candidate: the inside port if it may stay (REQ-3), then a walk from a random start. */
static __always_inline __u16 nat_candidate(const struct tp_limits *limits, __u16 inside,
					   __u32 start, int i)
{
	__u32 size = (__u32)limits->port_max - limits->port_min + 1;

	if (!i && nat_port_in_range(limits, inside))
		return inside;
	return limits->port_min + (start + i) % size;
}

static __always_inline bool nat_allocate(const struct tp_limits *limits, struct tp_scratch *scratch,
					 __be16 *port)
{
	/*
	 * Read before the loop: clang would read it again at the end of each round, falling through
	 * to the loop's head, and a back edge that is no jump is one too many for Linux 6.1.
	 */
	__u16 inside = bpf_ntohs(scratch->nat_out_key.port);
	struct tp_nat_in_key *in_key = &scratch->nat_in_key;
	__u32 start = bpf_get_prandom_u32();
	int i;

	__builtin_memset(in_key, 0, sizeof(*in_key));
	__builtin_memset(&scratch->nat_in, 0, sizeof(scratch->nat_in));
	in_key->outside = scratch->nat_out_key.outside;
	in_key->proto = scratch->nat_out_key.proto;
	scratch->nat_in.inside = scratch->nat_out_key.inside;
	scratch->nat_in.port = scratch->nat_out_key.port;

	for (i = 0; i < NAT_TRIES; i++) {
		in_key->port = bpf_htons(nat_candidate(limits, inside, start, i));
		if (!bpf_map_update_elem(&tp_nat_in, in_key, &scratch->nat_in, BPF_NOEXIST)) {
			*port = in_key->port;
			return true;
		}
	}
	return false;
}

/*
 * Finds or makes the mapping of the scratch's nat_out_key. GO_ON or TP_R_nat_full. It finds the
 * scratch itself: Linux 6.1 takes no argument of a global function for a map's key.
 */
__noinline int nat_bind(struct tp_limits *limits, __be16 *port)
{
	struct tp_nat_out mapping = { .flows = 1 };
	struct tp_scratch *scratch = scratch_find();

	if (!limits || !scratch || !port)
		return TP_R_nat_full;
	if (nat_join(&scratch->nat_out_key, port))
		return GO_ON;
	if (!nat_allocate(limits, scratch, &mapping.port))
		return TP_R_nat_full;
	*port = mapping.port;
	if (!bpf_map_update_elem(&tp_nat_out, &scratch->nat_out_key, &mapping, BPF_NOEXIST))
		return GO_ON;

	/* another CPU was faster with the same inside port: give ours back, use that one */
	nat_forget(&scratch->nat_out_key, mapping.port);
	return nat_join(&scratch->nat_out_key, port) ? GO_ON : TP_R_nat_full;
}

#endif
