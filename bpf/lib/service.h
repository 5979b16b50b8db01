/* SPDX-License-Identifier: GPL-2.0-only */
/* From a service to one of its backends. */
#ifndef BPF_LIB_SERVICE_H
#define BPF_LIB_SERVICE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "lib/addr.h"
#include "lib/service_table.h"

static __always_inline bool backend_is_healthy(const struct tp_backends *backends, __u32 index)
{
	return index < TP_BACKEND_MAX && backends->healthy >> index & 1;
}

/* The search for one of that address. */
struct tp_search {
	const struct tp_backends *backends;
	struct tp_addr addr;
	__u32 found;
};

static long compare_backend(__u32 i, struct tp_search *search)
{
	if (i >= TP_BACKEND_MAX || !addr_same(&search->backends->addrs[i], &search->addr))
		return 0;
	search->found = i;
	return 1;
}

/* TP_BACKEND_MAX: it is none of them. */
static __always_inline __u32 find_backend(const struct tp_backends *backends,
					  const struct tp_addr *addr)
{
	struct tp_search search = { .backends = backends, .addr = *addr, .found = TP_BACKEND_MAX };

	bpf_loop(TP_BACKEND_MAX, compare_backend, &search, 0);
	return search.found;
}

/* splitmix64's finisher: every bit of the input reaches every bit of the output. */
static __always_inline __u64 mixed(__u64 word)
{
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
	return word ^ (word >> 31);
}

static __always_inline __u64 backend_weight(const struct tp_addr *addr, __u64 client)
{
	const __u32 *words = (const __u32 *)addr;

	return mixed(client ^ mixed((__u64)words[2] << 32 | words[3]) ^
		     mixed((__u64)words[0] << 32 | words[1]));
}

/* The search for the healthy one of highest weight, and for whom. */
struct tp_contest {
	const struct tp_backends *backends;
	__u64 client;
	__u64 highest;
	__u32 best;
};

/*
 * A callback and no loop: the verifier would follow every order in which the best may come. Before
 * Linux 6.7 it goes by the first call alone, and takes away what it has shown to be always so
 * there: nothing here may depend on the values that contest begins with, but where weight, which
 * it does not know, decides. (A weight of 0 is never the highest; one in 2^64 is.)
 */
static long weigh(__u32 i, struct tp_contest *contest)
{
	__u64 weight;

	if (i >= TP_BACKEND_MAX || !backend_is_healthy(contest->backends, i))
		return 0;
	weight = backend_weight(&contest->backends->addrs[i], contest->client);
	if (weight > contest->highest) {
		contest->best = i;
		contest->highest = weight;
	}
	return 0;
}

/* Rendezvous hashing: when a backend goes, only its own clients are moved. */
static __always_inline __u32 choose_by_client(const struct tp_backends *backends, __u64 client)
{
	struct tp_contest contest = {
		.backends = backends,
		.client = client,
		.best = TP_BACKEND_MAX,
	};

	bpf_loop(TP_BACKEND_MAX, weigh, &contest, 0);
	return contest.best;
}

static __always_inline __u32 count_bits(__u64 word)
{
	word -= word >> 1 & 0x5555555555555555ULL;
	word = (word & 0x3333333333333333ULL) + (word >> 2 & 0x3333333333333333ULL);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return word * 0x0101010101010101ULL >> 56;
}

/* The lowest bit that is set; 64 when none is. */
static __always_inline __u32 first_bit(__u64 word)
{
	return count_bits((word & -word) - 1);
}

static __always_inline __u32 choose_first(const struct tp_backends *backends)
{
	return first_bit(backends->healthy);
}

static __always_inline __u32 choose_at_random(const struct tp_backends *backends)
{
	__u64 healthy = backends->healthy;
	__u32 count = count_bits(healthy);
	__u32 skip = count ? bpf_get_prandom_u32() % count : 0;

	for (__u32 i = 0; i < TP_BACKEND_MAX && i < skip; i++)
		healthy &= healthy - 1;
	return first_bit(healthy);
}

/* client: what stays the same for one client. TP_BACKEND_MAX: none is healthy. */
static __always_inline __u32 choose_backend(const struct tp_service *service,
					    const struct tp_backends *backends, __u64 client)
{
	switch (service->policy) {
	case TP_SERVICE_RANDOM: return choose_at_random(backends);
	case TP_SERVICE_SOURCE: return choose_by_client(backends, client);
	default: return choose_first(backends);
	}
}

#endif
