/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets that drop whatever they are given (bpf/sk_lookup.bpf.c). */
#ifndef TOWPATH_SINK_H
#define TOWPATH_SINK_H

/* Index into tp_sinks. */
enum tp_sink {
	TP_SINK_TCP = 0,
	TP_SINK_UDP = 1,
	TP_SINKS,
};

#endif
