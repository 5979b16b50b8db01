/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a packet that nobody has sent would meet a program of ours, and go from there. */
#ifndef TP_KERNEL_TRACE_PLACE_H
#define TP_KERNEL_TRACE_PLACE_H

#include "base/addr.h"
#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"
#include "model/trace.h"

struct trace_place {
	enum trace_way way;
	enum state_hook hook;
	char in[IF_NAMESIZE]; /* by which it comes; empty: a socket's */
	uint32_t ifindex;     /* of the hook's device */
	uint32_t ingress;     /* HOOK_TC_EGRESS: of the device it came by; 0: a socket's */
	bool on_tunnel;       /* the hook's device is the tunnel */
	uint8_t mac[6];       /* of the hook's device */
};

/* -ENODEV: request->in is no device. -EHOSTUNREACH and the like: the kernel has no route. */
int trace_find_place(const struct bpf *bpf, const struct state *have,
		     const struct trace_request *request, struct trace_place *out, struct err *err);

/* Whom a device is asked for toward an address; zero when the kernel would use another device. */
void trace_find_next_hop(const struct addr *to, uint32_t ifindex, struct addr *out);

#endif
