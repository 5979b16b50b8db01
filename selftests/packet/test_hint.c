// SPDX-License-Identifier: GPL-2.0-only
/* tp_hints only guesses where a flow is: whatever it says, each packet goes its own flow's way. */
#include <bpf/bpf.h>

#include "policies.h"
#include "rig.h"
#include "rows.h"
#include "state.h"
#include "test.h"

/*
 * All packets are sent to look at one way of one flow first. In one call: row by row takes a slow
 * machine so long that flows want to know their next hop anew.
 */
static void hint_at(uint32_t slot, enum tp_flow_end way)
{
	static uint32_t numbers[TP_HINTS], hints[TP_HINTS];
	uint32_t row, count = TP_HINTS;

	for (row = 0; row < TP_HINTS; row++) {
		numbers[row] = row;
		hints[row] = slot << 1 | way;
	}
	CHECK(!bpf_map_update_batch(rig_map("tp_hints"), numbers, hints, &count, NULL));
	CHECK_INT(count, TP_HINTS);
}

static void hint_at_the_first(void)
{
	hint_at(0, TP_OPENER);
}

static void hint_at_answers_of_the_first(void)
{
	hint_at(0, TP_ANSWERER);
}

static void hint_at_no_flow(void)
{
	hint_at(RIG_FLOWS - 1, TP_OPENER);
}

static void hint_at_no_slot(void)
{
	hint_at(INT32_MAX, TP_OPENER);
}

/* As when a slot has come from a flow of two ways to one that has the answers only. */
static void leave_one_way(void)
{
	struct tp_flow_state state = state_slot(0);

	CHECK(!bpf_map_delete_elem(rig_map("tp_flows"), &state.way[TP_OPENER].key));

	state.ways = 1 << TP_ANSWERER;
	state_write_slot(0, &state);
	hint_at(0, TP_OPENER);
}

#define FIRST(to)  udp("phone", 20000, "host", 53, .ttl = to)
#define SECOND(to) udp("tablet", 20001, "host", 53, .ttl = to)

static const struct row rows[] = {
	{ .name = "a_hint_at_another_flow_misleads_nobody",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, FIRST(64), resolves(LAN0, FIRST(63)), .flows = 1 },
		  { FROM_TUNNEL, SECOND(64), resolves(LAN0, SECOND(63)), .flows = 2 },
		  { FROM_TUNNEL, SECOND(64), sends(LAN0, "host", SECOND(63)), .flows = 2,
		    .before = hint_at_the_first },
		  { FROM_TUNNEL, SECOND(64), sends(LAN0, "host", SECOND(63)), .flows = 2 },
		  { FROM_TUNNEL, FIRST(64), sends(LAN0, "host", FIRST(63)), .flows = 2,
		    .before = hint_at_answers_of_the_first },
		  { FROM_TUNNEL, FIRST(64), sends(LAN0, "host", FIRST(63)), .flows = 2,
		    .before = hint_at_no_flow },
		  { FROM_TUNNEL, FIRST(64), sends(LAN0, "host", FIRST(63)), .flows = 2,
		    .before = hint_at_no_slot },
	  } },
	{ .name = "a_hint_at_a_way_that_is_not_of_the_flow_is_none",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, FIRST(64), resolves(LAN0, FIRST(63)), .flows = 1 },
		  { FROM_TUNNEL, FIRST(64), drops(clash), .flows = 1,
		    .before = leave_one_way },
	  } },
};

ROWS(rows)
