/* SPDX-License-Identifier: GPL-2.0-only */
/* What the policy that is live says of itself, from the tables that packets are judged by. */
#ifndef TP_KERNEL_BPF_LIVE_H
#define TP_KERNEL_BPF_LIVE_H

#include <stdbool.h>

#include "base/err.h"
#include "kernel/bpf_object.h"

/* The row that an address falls under, as route_find has it; *out is untouched if there is none. */
void bpf_live_route(const struct bpf *bpf, uint64_t generation, const struct tp_addr *addr,
		    struct tp_route *out);

/* Whether its refusals are only logged (`"enforce": "log"`). False when no policy is live. */
int bpf_read_only_logs(const struct bpf *bpf, bool *out, struct err *err);

#endif
