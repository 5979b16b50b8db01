/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What keeps the stack from refusing answers to masqueraded flows while a LAN device is without its
 * programs: two sockets that drop all, and a link that leads there. They live with the process.
 */
#ifndef TP_KERNEL_BPF_SINK_H
#define TP_KERNEL_BPF_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "towpath/sink.h"

struct tp_sk_lookup;

struct bpf_sink {
	struct tp_sk_lookup *skeleton; /* NULL: there is none */
	uint32_t flows;                /* id of the map that it looks into */
	int sockets[TP_SINKS];         /* with the skeleton only */
};

/*
 * In the network namespace of the caller. One that is there, attached and over the maps of today,
 * is left as it is. -ENOENT: there are no maps.
 */
int bpf_sink_keep(struct bpf_sink *sink, const struct bpf *bpf, struct err *err);
void bpf_sink_drop(struct bpf_sink *sink);

#endif
