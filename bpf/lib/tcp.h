/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP connections, as far as a router must follow them (RFC 5382, RFC 7857). A connection is
 * established when both sides have sent a SYN and both SYNs were acknowledged, whoever was first:
 * simultaneous open (RFC 9293 figure 8) needs no states of its own.
 *
 * What changes a flow's life must show that its sender sees the connection: a SYN counts only
 * with the number that acknowledges it, a RST only close to what the other side expects. There
 * are no windows. What shows nothing is forwarded, for the hosts to judge, and changes nothing.
 */
#ifndef BPF_LIB_TCP_H
#define BPF_LIB_TCP_H

#include "lib/pkt.h"

#define TCP_FLAGS (TCP_SYN | TCP_RST | TCP_FIN | TCP_ACK)

/*
 * How far the first acknowledgment may be past the SYN: data in the SYN (RFC 7413), and an answer
 * whose own acknowledgment came before it but was lost on the way to us.
 */
#define TCP_SYN_REACH 65536
/* How much data of the sender of a RST may be under way to the other side. */
#define TCP_RST_REACH (1 << 20)

/* Each but the first SYN and some RST carries an ACK; of SYN, FIN and RST there is at most one. */
static __always_inline bool tcp_flags_are_valid(__u8 flags)
{
	switch (flags & TCP_FLAGS) {
	case TCP_SYN:
	case TCP_SYN | TCP_ACK:
	case TCP_ACK:
	case TCP_FIN | TCP_ACK:
	case TCP_RST:
	case TCP_RST | TCP_ACK: return true;
	default: return false;
	}
}

/*
 * What a LAN host opens to this machine's mesh address: the answers leave by the LAN as any of
 * this machine's traffic there, past no program that would look. So it may be with a load balancer
 * that puts a local VIP back into answers behind our program (local_vip.h).
 */
static __always_inline bool flow_is_one_sided(const struct tp_flow_state *state)
{
	if (state->way[TP_OPENER].to.flags & TP_FLOW_HANDED)
		return !state->way[TP_ANSWERER].packets;
	return state->way[TP_OPENER].key.side == TP_SIDE_LAN && !state->way[TP_ANSWERER].key.side;
}

static __always_inline bool tcp_has_both(const struct tp_flow_state *state, __u8 bit)
{
	return (state->tcp & (bit | bit << 1)) == (bit | bit << 1);
}

/* A SYN with another number is another try: what acknowledged the last one does not count. */
static __always_inline void tcp_track_syn(const struct pkt *pkt, struct tp_flow_state *state,
					  __u32 way)
{
	__u32 next = pkt->seq + 1;

	if (state->way[way].syn_next != next)
		state->tcp &= ~(TP_TCP_ACKED << (way ^ 1));
	state->way[way].syn_next = next;
	state->tcp |= TP_TCP_SYN << way;
}

static __always_inline void tcp_track_opening(const struct pkt *pkt, struct tp_flow_state *state,
					      __u32 way)
{
	bool other_sent_syn = state->tcp & TP_TCP_SYN << (way ^ 1);

	if (pkt->tcp_flags & TCP_SYN)
		tcp_track_syn(pkt, state, way);
	if (!(pkt->tcp_flags & TCP_ACK))
		return;
	if (flow_is_one_sided(state))
		state->tcp |= TP_TCP_ACKED | TP_TCP_ACKED << 1;
	else if (other_sent_syn && pkt->ack - state->way[way ^ 1].syn_next < TCP_SYN_REACH)
		state->tcp |= TP_TCP_ACKED << way;
	if (tcp_has_both(state, TP_TCP_ACKED))
		state->kind = TP_FLOW_TCP_ESTABLISHED;
}

/*
 * A RST moves the flow to the short timer and ends nothing yet (RFC 7857 2.2). Before the
 * connection is established there is nothing to close: the timer is short already.
 */
static __always_inline void tcp_track_rst(const struct pkt *pkt, struct tp_flow_state *state,
					  __u32 way)
{
	const struct tp_flow_way *other = &state->way[way ^ 1];

	if (state->kind != TP_FLOW_TCP_ESTABLISHED)
		return;
	if (other->packets && pkt->seq - other->acked >= TCP_RST_REACH)
		return;
	state->tcp |= TP_TCP_RST << way;
	state->kind = TP_FLOW_TCP_CLOSING;
}

/* Who sent a RST and yet goes on has not sent it (RFC 6146 3.5.2.2, state TRANS). */
static __always_inline void tcp_track_after_rst(struct tp_flow_state *state, __u32 way)
{
	state->tcp &= ~(TP_TCP_RST << way);
	if (!(state->tcp & (TP_TCP_RST | TP_TCP_RST << 1)))
		state->kind = TP_FLOW_TCP_ESTABLISHED;
}

/* Anything but the plain segment of an established connection. */
static __noinline void tcp_track(const struct pkt *pkt, struct tp_flow_state *state, bool reply)
{
	__u32 way = reply & 1;
	__u8 flags;

	if (!pkt || !state)
		return;
	flags = pkt->tcp_flags;
	if (!tcp_flags_are_valid(flags))
		return;
	if (flags & TCP_RST) {
		tcp_track_rst(pkt, state, way);
		return;
	}
	if (flags & TCP_ACK)
		state->way[way].acked = pkt->ack;
	if (flags & TCP_FIN)
		state->tcp |= TP_TCP_FIN << way;

	if (state->kind == TP_FLOW_TCP_OPENING)
		tcp_track_opening(pkt, state, way);
	else if ((state->tcp & TP_TCP_RST << way) && !(flags & TCP_SYN))
		tcp_track_after_rst(state, way);
	if (state->kind == TP_FLOW_TCP_ESTABLISHED && tcp_has_both(state, TP_TCP_FIN))
		state->kind = TP_FLOW_TCP_CLOSING;
}

/*
 * A connection to this machine whose beginning was not seen. If it has only just answered with a
 * SYN-ACK, that tells the number of the SYN.
 */
static __always_inline void tcp_take_over(const struct pkt *pkt, struct tp_flow_state *state)
{
	if (pkt->tcp_flags & TCP_SYN) {
		state->way[TP_OPENER].syn_next = pkt->ack;
		state->tcp = TP_TCP_SYN;
	} else {
		state->kind = TP_FLOW_TCP_ESTABLISHED;
	}
}

/* A segment of a known flow. */
static __always_inline void tcp_see(const struct pkt *pkt, struct tp_flow_state *state, bool reply)
{
	if (state->kind == TP_FLOW_TCP_ESTABLISHED && (pkt->tcp_flags & TCP_FLAGS) == TCP_ACK)
		state->way[reply & 1].acked = pkt->ack;
	else
		tcp_track(pkt, state, reply);
}

#endif
