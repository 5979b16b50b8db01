/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of a packet, by the reason that its stages ended with. */
#ifndef BPF_LIB_VERDICT_H
#define BPF_LIB_VERDICT_H

#include "lib/maps.h"

/* What each reason means for the packet; the list is in include/towpath/reason.h. */
static const __u8 verdicts[TP_REASON_ROOM] = {
#define VERDICT_OF(name, verdict, text) [TP_R_##name] = TP_##verdict,
	TP_REASONS(VERDICT_OF)
#undef VERDICT_OF
};

_Static_assert(TP_REASON_COUNT <= TP_REASON_ROOM, "each reason has its row");

/* Of a reason, not of GO_*, which leaves it to another program. */
static __always_inline enum tp_verdict verdict_of(__u32 reason)
{
	return verdicts[reason & (TP_REASON_ROOM - 1)];
}

/* By the stages that ended with r. What another program has yet to look at, or answers, is not. */
static __always_inline bool is_refused(int r)
{
	return r >= 0 && verdict_of(r) == TP_DROP;
}

static __always_inline bool is_let_through(int r)
{
	return r >= 0 && verdict_of(r) != TP_DROP;
}

#endif
