/* SPDX-License-Identifier: GPL-2.0-only */
/* What became of one packet, and why. Filled by kernel/bpf_trace.c, shown by report. */
#ifndef TP_MODEL_TRACE_H
#define TP_MODEL_TRACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/decide_packet.h"
#include "towpath/abi.h"
#include "towpath/policy.h"
#include "towpath/reason.h"
#include "towpath/route.h"

/* Which way a packet comes to a program of ours. */
enum trace_way {
	TRACE_FROM_TUNNEL,
	TRACE_FROM_LAN,
	TRACE_OWN,     /* of a socket of this machine, on its way out */
	TRACE_FOREIGN, /* by a device that is not ours, on its way out of one that is */
	TRACE_UNSEEN,  /* it meets no program */
};

enum trace_flow {
	TRACE_FLOW_NONE,  /* it belongs to none, and opens none */
	TRACE_FLOW_NEW,   /* it opens one */
	TRACE_FLOW_KNOWN, /* it belongs to one that is there already */
};

struct trace_request {
	struct decide_packet packet;
	uint16_t sport;       /* host byte order; of an echo request the identifier */
	char in[IF_NAMESIZE]; /* empty: the device that the source is behind */
};

struct trace {
	struct trace_request request;
	enum trace_way way;
	char in[IF_NAMESIZE]; /* empty with TRACE_OWN */
	enum tp_reason reason;
	enum trace_flow flow;
	bool full;               /* a new flow finds no room */
	bool logged;             /* the grants refuse it, and only count that */
	char peer[TP_NAME_SIZE]; /* the member it is from or, if that is none, goes to; or empty */
	struct tp_prefix route;  /* with route_known: the row of tp_route_info it is carried by */
	bool route_known;
	uint32_t src_class, dst_class, port_class;
	char service[TP_NAME_SIZE]; /* what it is sent to, or answers for; empty: none */
	struct endpoint backend;    /* that it is sent to in its place; zero: none was chosen */
	bool granted;               /* grant is the one that decided */
	struct tp_rule_info grant;
	bool snat;
	struct endpoint snat_to;
	char out[IF_NAMESIZE]; /* empty: it goes no further, or the stack decides */
	struct addr next_hop;  /* zero: there is none, or it is not known */
	bool mac_known;
	uint8_t mac[6];
	uint8_t ttl;  /* when it leaves; 0: it does not */
	uint16_t mtu; /* of the way out, bytes of IP packet; 0: none */
	uint16_t mss; /* of a SYN when it leaves; 0: it is none, or does not */
};

enum tp_verdict trace_verdict(const struct trace *trace);

/* What the packet's SYN asks for: what Ethernet has room for. */
#define TRACE_MSS_V4 1460
#define TRACE_MSS_V6 1440

#endif
