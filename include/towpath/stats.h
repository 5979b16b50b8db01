/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of the data path. Per-CPU values: the reader adds them up. */
#ifndef TOWPATH_STATS_H
#define TOWPATH_STATS_H

#include <linux/types.h>

/* Value of tp_peer_stats; rx is from the peer, as WireGuard says it. */
struct tp_peer_counter {
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tx_packets;
	__u64 tx_bytes;
	__u64 drops; /* what was to open a flow of this peer's and was refused */
};

/* Value of tp_flow_stats, one row. */
struct tp_flow_counter {
	__u64 created;
	__u64 expired;
	__u64 refused;      /* table or ports full */
	__u64 evicted;      /* half-open, for others when the table or ports ran short */
	__u64 would_refuse; /* packets that `"enforce": "log"` let go on against the grants */
};

/* A token bucket. Value of tp_answer_rate, one row. */
struct tp_bucket {
	__u64 filled; /* jiffies64 when tokens were last added */
	__u64 tokens;
};

#endif
