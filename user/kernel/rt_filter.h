/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_KERNEL_RT_FILTER_H
#define TP_KERNEL_RT_FILTER_H

#include <stdint.h>

#include "base/err.h"

/* How many filters the clsact qdisc of a device holds, both ways; negative errno on failure. */
int rt_filter_count(uint32_t ifindex, struct err *err);

#endif
