/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPF_LIB_VERDICT_H
#define BPF_LIB_VERDICT_H

#include "lib/maps.h"

/* What each reason means for the packet; the list is in include/towpath/reason.h. */
static const __u8 verdicts[TP_REASON_ROOM] = {
#define VERDICT_OF(name, verdict, text) [TP_R_##name] = TP_##verdict,
	TP_REASONS(VERDICT_OF)
#undef VERDICT_OF
};

static __always_inline __u8 verdict_of(__u32 reason)
{
	return verdicts[reason & (TP_REASON_ROOM - 1)];
}

#endif
