/* SPDX-License-Identifier: GPL-2.0-only */
/* What the policy that is live says of itself, from the tables that packets are judged by. */
#ifndef TP_KERNEL_BPF_LIVE_H
#define TP_KERNEL_BPF_LIVE_H

#include <stdbool.h>

#include "base/err.h"
#include "kernel/bpf_object.h"

/* Whether its refusals are only logged (`"enforce": "log"`). False when no policy is live. */
int bpf_read_only_logs(const struct bpf *bpf, bool *out, struct err *err);

#endif
