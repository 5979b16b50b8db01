/* SPDX-License-Identifier: GPL-2.0-only */
/* What services there are, for packets and for sockets. User writes them. */
#ifndef BPF_LIB_SERVICE_TABLE_H
#define BPF_LIB_SERVICE_TABLE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <towpath/service.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_SERVICE_PORT_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_service_key);
	__type(value, struct tp_service);
} tp_services SEC(".maps");

/* Not preallocated, so that a row which is replaced stays whole for who is reading it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_SERVICE_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tp_backends);
} tp_backends SEC(".maps");

#endif
