/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_KERNEL_RT_FILTER_H
#define TP_KERNEL_RT_FILTER_H

#include <stdint.h>

#include "base/err.h"

/* How many filters the clsact qdisc of a device holds, both ways; negative errno on failure. */
int rt_filter_count(uint32_t ifindex, struct err *err);

enum rt_filter_way { RT_FILTER_INGRESS, RT_FILTER_EGRESS };

/*
 * The priority of the first filter there, if packets meet it before the one with that priority and
 * handle, or else 0; negative errno on failure. Priorities are 16 bits.
 */
int rt_filter_ahead(uint32_t ifindex, enum rt_filter_way way, uint16_t priority, uint32_t handle,
		    struct err *err);

#endif
