/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two-slot tables of a policy: outer maps of two inner maps. The lowest bit of
 * tp_state.generation selects the live one, user fills the other.
 */
#ifndef BPF_LIB_TABLES_H
#define BPF_LIB_TABLES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <towpath/addr.h>
#include <towpath/layout.h>
#include <towpath/policy.h>
#include <towpath/route.h>
#include <towpath/stats.h>

/*
 * clang writes only a forward declaration into BTF for a struct that it meets behind two
 * pointers, as in an inner map, and libbpf cannot size that. A variable brings the whole type.
 */
static const struct tp_inner_types {
	struct tp_port_key port_key;
	struct tp_route route;
	struct tp_rule_bits rule_bits;
	struct tp_rule_info rule_info;
	struct tp_counter counter;
	struct tp_prefix prefix;
} tp_inner_types __attribute__((used)) = {};

/* Inner maps of the two-slot tables; those of tp_rules and tp_rule_info are made larger. */
struct tp_class_table {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_prefix);
	__type(value, __u32);
};

struct tp_port_table {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_port_key);
	__type(value, __u32);
};

struct tp_host_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_addr);
	__type(value, struct tp_route);
};

struct tp_route_table {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tp_prefix);
	__type(value, struct tp_route);
};

struct tp_rule_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__type(key, __u32);
	__type(value, struct tp_rule_bits);
};

struct tp_rule_counters {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TP_RULE_MAX);
	__type(key, __u32);
	__type(value, struct tp_counter);
};

struct tp_rule_names {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__type(key, __u32);
	__type(value, struct tp_rule_info);
};

/* user */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_class_table);
} tp_src SEC(".maps");

/* user */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_class_table);
} tp_dst SEC(".maps");

/* user */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_port_table);
} tp_ports SEC(".maps");

/* user */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_rule_table);
} tp_rules SEC(".maps");

/* user: routes of single addresses, as members' are: one look instead of a walk */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_host_table);
} tp_hosts SEC(".maps");

/* user: all others */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_route_table);
} tp_routes SEC(".maps");

/* user makes, programs count: rule -> packets, bytes */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_rule_counters);
} tp_rule_stats SEC(".maps");

/* user, for `trace`, `status` and bpftool: rule -> what the policy file says */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TP_SLOTS);
	__type(key, __u32);
	__array(values, struct tp_rule_names);
} tp_rule_info SEC(".maps");

#endif
