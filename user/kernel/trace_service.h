/* SPDX-License-Identifier: GPL-2.0-only */
/* Which service a traced packet belongs to. */
#ifndef TP_KERNEL_TRACE_SERVICE_H
#define TP_KERNEL_TRACE_SERVICE_H

#include "model/state.h"
#include "model/trace.h"
#include "towpath/flow.h"

/* By the packet's key. */
void trace_name_service(const struct state *have, const struct tp_flow_key *key, struct trace *out);
/* By its flow, which tells the backend too. */
void trace_name_backend(const struct state *have, const struct tp_flow_state *flow,
			struct trace *out);

#endif
