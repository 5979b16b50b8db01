/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets that the load balancer has connected to a backend, in every network namespace. */
#ifndef TP_KERNEL_BPF_LED_H
#define TP_KERNEL_BPF_LED_H

#include "base/array.h"
#include "base/err.h"
#include "kernel/bpf_object.h"
#include "towpath/service.h"

struct led_sockets {
	ARRAY_OF(struct tp_led);
};

/* Adds all, TCP and UDP. Some may be connected elsewhere by now, or not at all. */
int bpf_read_led(const struct bpf *bpf, struct led_sockets *out, struct err *err);

/* Whether the kernel can tell of them; what was found out once is remembered. */
bool bpf_can_read_led(void);

#endif
