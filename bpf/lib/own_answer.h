/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A service whose backend is this machine. The stack is given the packet with the backend's address
 * and answers from there, through the tunnel, so it is on its way out of the tunnel's device that
 * the answer becomes the service's. It is known by a key of its own side (TP_SIDE_OWN): by one of
 * the other two, a packet that came in with the addresses of the answer would find the flow.
 */
#ifndef BPF_LIB_OWN_ANSWER_H
#define BPF_LIB_OWN_ANSWER_H

#include "lib/flow.h"
#include "lib/frag.h"
#include "lib/rewrite.h"

/* Sent by the stack: the TTL stays as it is. */
static __always_inline int own_answer(struct pkt *pkt, const struct tp_flow *flow,
				      struct tp_flow_state *state)
{
	int r = rewrite_tuple(pkt, flow);

	if (r != GO_ON)
		return r;
	flow_touch(pkt, state, true);
	frag_remember(pkt, flow);
	return TP_R_translated;
}

#endif
