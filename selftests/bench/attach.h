/* SPDX-License-Identifier: GPL-2.0-only */
/* The bench's own programs onto devices of the present namespace; they go with the device. */
#ifndef SELFTESTS_BENCH_ATTACH_H
#define SELFTESTS_BENCH_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct bpf_program;

int attach_xdp(const struct bpf_program *program, uint32_t ifindex, struct err *err);
/* By tcx where the kernel has it, else by clsact, behind all others either way. */
int attach_tc(const struct bpf_program *program, uint32_t ifindex, bool egress, struct err *err);

#endif
