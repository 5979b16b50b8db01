/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of sockets. User writes those of the policy, and tp_sock_own; the others are the
 * programs'.
 */
#ifndef BPF_LIB_SERVICE_MAPS_H
#define BPF_LIB_SERVICE_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <towpath/service.h>

#include "lib/service_table.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TP_EXEMPT_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct tp_exempt);
} tp_exempt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, TP_FOREIGN_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_prefix);
	__type(value, struct tp_foreign);
} tp_foreign SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_socket_lb);
} tp_socket_lb SEC(".maps");

/* Sockets that ask whether a backend lives: they are to go where a forwarded packet would go. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} tp_sock_own SEC(".maps");

/* With the socket and as long as it: nothing that other sockets do can evict it. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tp_sock_rev);
} tp_sock_rev SEC(".maps");

/* The same of sockets that send datagrams here and there. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tp_sock_udp);
} tp_sock_udp SEC(".maps");

/* Of those that have filled that. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tp_sock_more);
} tp_sock_more SEC(".maps");

#endif
