/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_KERNEL_BPF_STATS_H
#define TP_KERNEL_BPF_STATS_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"
#include "model/stats.h"

/* Reads every counter; rows are those that have->peer_info and have->route_info name. */
int bpf_read_stats(const struct bpf *bpf, const struct state *have, struct stats *out,
		   struct err *err);

/* bpf_rule_stats.c: the counters of each rule of the live policy, in out->rules. */
int bpf_read_rule_stats(const struct bpf *bpf, const struct state *have, struct stats *out,
			struct err *err);

/* bpf_addresses.c: whose the mesh addresses of the live policy are, in out->addresses. */
int bpf_read_addresses(const struct bpf *bpf, const struct state *have, struct stats *out,
		       struct err *err);

/* Adds the values of all CPUs up; a value is nothing but 64-bit counters. 0 or a negative errno. */
int bpf_read_percpu(int fd, uint32_t key, void *out, size_t size);

#endif
