/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters. All per CPU except a flow's own. */
#ifndef BPF_LIB_COUNT_H
#define BPF_LIB_COUNT_H

#include "lib/maps.h"
#include "lib/pkt.h"

static __always_inline void count_reason(__u32 reason)
{
	__u64 *counter = bpf_map_lookup_elem(&tp_drops, &reason);

	if (counter)
		(*counter)++;
}

static __always_inline void count_add(struct tp_counter *counter, __u32 bytes)
{
	if (!counter)
		return;
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline void count_rule(__u64 generation, __u32 rule, __u32 bytes)
{
	__u32 slot = generation & 1;
	void *table = bpf_map_lookup_elem(&tp_rule_stats, &slot);

	if (table)
		count_add(bpf_map_lookup_elem(table, &rule), bytes);
}

static __always_inline void count_route(__u32 route, __u32 bytes)
{
	if (route)
		count_add(bpf_map_lookup_elem(&tp_route_stats, &route), bytes);
}

/* NULL: not a member. */
static __always_inline struct tp_peer_counter *count_peer(__u32 peer)
{
	return peer ? bpf_map_lookup_elem(&tp_peer_stats, &peer) : NULL;
}

static __always_inline void count_peer_rx(__u32 peer, __u32 bytes)
{
	struct tp_peer_counter *counter = count_peer(peer);

	if (!counter)
		return;
	counter->rx_packets++;
	counter->rx_bytes += bytes;
}

static __always_inline void count_peer_tx(__u32 peer, __u32 bytes)
{
	struct tp_peer_counter *counter = count_peer(peer);

	if (!counter)
		return;
	counter->tx_packets++;
	counter->tx_bytes += bytes;
}

static __always_inline void count_peer_drop(__u32 peer)
{
	struct tp_peer_counter *counter = count_peer(peer);

	if (counter)
		counter->drops++;
}

enum flow_event { FLOW_CREATED, FLOW_EXPIRED, FLOW_REFUSED, FLOW_EVICTED, FLOW_WOULD_REFUSE };

static __always_inline void count_flow(enum flow_event event)
{
	__u32 zero = 0;
	struct tp_flow_counter *counter = bpf_map_lookup_elem(&tp_flow_stats, &zero);

	if (!counter)
		return;
	if (event == FLOW_CREATED)
		counter->created++;
	else if (event == FLOW_EXPIRED)
		counter->expired++;
	else if (event == FLOW_REFUSED)
		counter->refused++;
	else if (event == FLOW_EVICTED)
		counter->evicted++;
	else
		counter->would_refuse++;
}

#endif
