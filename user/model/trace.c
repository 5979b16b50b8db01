// SPDX-License-Identifier: GPL-2.0-only
#include "model/trace.h"

enum tp_verdict trace_verdict(const struct trace *trace)
{
	static const uint8_t verdicts[TP_REASON_COUNT] = {
#define VERDICT_ROW(name, verdict, text) [TP_R_##name] = TP_##verdict,
		TP_REASONS(VERDICT_ROW)
#undef VERDICT_ROW
	};

	return (enum tp_verdict)verdicts[trace->reason];
}
