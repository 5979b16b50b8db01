/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs counted, added up over CPUs. Filled by kernel/bpf_stats.c, shown by report. */
#ifndef TP_MODEL_STATS_H
#define TP_MODEL_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/array.h"
#include "towpath/policy.h"
#include "towpath/reason.h"
#include "towpath/stats.h"

struct stats_route {
	uint32_t id;
	struct tp_counter counter;
};

struct stats_peer {
	uint32_t id;
	struct tp_peer_counter counter;
};

/* A mesh address of a member that is reached through the tunnel. */
struct stats_address {
	uint32_t peer; /* its tp_peer_info row */
	struct addr addr;
};

/* Of the live policy alone: a new one begins at zero. */
struct stats_rule {
	uint32_t grant; /* index in the policy's "grants"; several rules may be of one */
	bool deny;
	struct tp_counter counter;
};

struct stats {
	uint64_t reasons[TP_REASON_COUNT];
	struct tp_flow_counter flows;
	uint32_t flows_current;              /* slots in use, not directions */
	uint32_t flows_refused_at;           /* as tp_slot_cursor.refused */
	ARRAY_OF(struct stats_route) routes; /* one for each tp_route_info row, sorted by id */
	ARRAY_OF(struct stats_peer) peers;   /* likewise */
	ARRAY_OF(struct stats_rule) rules;   /* by bit number; only after bpf_read_rule_stats */
	/* sorted by peer, then address; only after bpf_read_addresses */
	ARRAY_OF(struct stats_address) addresses;
};

void stats_free(struct stats *stats); /* what it holds, not itself */

#endif
