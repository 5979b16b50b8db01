/* SPDX-License-Identifier: GPL-2.0-only */
/* The bit-vector classifier of include/towpath/policy.h. Only the first packet of a flow pays. */
#ifndef BPF_LIB_POLICY_H
#define BPF_LIB_POLICY_H

#include "lib/maps.h"
#include "lib/pkt.h"

static __always_inline __u32 class_of(void *table, const void *key)
{
	__u32 *class_id = table ? bpf_map_lookup_elem(table, key) : NULL;

	return class_id ? *class_id : TP_CLASS_NONE;
}

/* Leiserson, Prokop, Randall: "Using de Bruijn sequences to index a 1 in a computer word". */
#define DE_BRUIJN 0x03f79d71b4cb0a89ULL

static const __u8 de_bruijn_bits[64] = {
	0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,  62, 55, 59, 36, 53, 51,
	43, 22, 45, 39, 33, 30, 24, 18, 12, 5,  63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
	44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6,
};

/*
 * Number of the lowest bit set. BPF has no such instruction, __builtin_ctzll crashes clang 14's
 * BPF backend, and a search by halves multiplies the verifier's states; this has no branch.
 */
static __always_inline __u32 lowest_bit(__u64 word)
{
	__u32 bit = de_bruijn_bits[((word & -word) * DE_BRUIJN) >> 58];

	/* clang 19 knows the table and drops the mask, which the verifier needs */
	barrier_var(bit);
	return bit & 63;
}

/*
 * Which rule decides: one that denies before one that accepts, the lowest number of its kind.
 * Returns GO_ON or TP_R_acl, and the rule (TP_RULE_NONE when none matched).
 */
static __always_inline int match_rules(const struct tp_rule_bits *src,
				       const struct tp_rule_bits *dst,
				       const struct tp_rule_bits *port,
				       const struct tp_rule_bits *deny, __u32 *rule)
{
	__u64 summary = src->summary & dst->summary & port->summary;
	__u32 accepting = TP_RULE_NONE;
	int i;

	for (i = 0; i < TP_RULE_WORDS && summary; i++) {
		__u32 word = lowest_bit(summary);
		__u64 match = src->words[word] & dst->words[word] & port->words[word];
		__u64 denying = match & deny->words[word];

		summary &= summary - 1;
		if (denying) {
			*rule = word * 64 + lowest_bit(denying);
			return TP_R_acl;
		}
		if (match && accepting == TP_RULE_NONE)
			accepting = word * 64 + lowest_bit(match);
	}

	*rule = accepting;
	return accepting == TP_RULE_NONE ? TP_R_acl : GO_ON;
}

static __always_inline __u32 class_of_addr(void *outer, __u32 slot, const struct tp_addr *addr)
{
	struct tp_prefix prefix = { .prefix_len = 128, .addr = *addr };

	return class_of(bpf_map_lookup_elem(outer, &slot), &prefix);
}

/*
 * Judges one (source, destination, protocol, port) by the policy of this generation. The classes of
 * the addresses are looked up unless they are told. A global function, as all of the slow path that
 * takes plain memory: the verifier proves it once, not once a caller.
 */
__noinline int policy_judge(const struct tp_flow_key *key, __u64 generation, __u32 src_class,
			    __u32 dst_class, __u32 *rule)
{
	struct tp_port_key port_key = { .prefix_len = 32 };
	__u32 slot = generation & 1, class_id, deny_class = TP_CLASS_DENY;
	struct tp_rule_bits *src, *dst, *port, *deny;
	void *rules;

	if (!key || !rule)
		return TP_R_internal;
	*rule = TP_RULE_NONE;
	rules = bpf_map_lookup_elem(&tp_rules, &slot);
	if (!generation || !rules)
		return TP_R_no_policy;

	port_key.proto = key->proto;
	if (src_class == TP_CLASS_UNTOLD)
		src_class = class_of_addr(&tp_src, slot, &key->src);
	src = bpf_map_lookup_elem(rules, &src_class);
	if (dst_class == TP_CLASS_UNTOLD)
		dst_class = class_of_addr(&tp_dst, slot, &key->dst);
	dst = bpf_map_lookup_elem(rules, &dst_class);

	if (key->proto != IPPROTO_ICMP && key->proto != IPPROTO_ICMPV6)
		port_key.port = key->dport;
	class_id = class_of(bpf_map_lookup_elem(&tp_ports, &slot), &port_key);
	port = bpf_map_lookup_elem(rules, &class_id);
	deny = bpf_map_lookup_elem(rules, &deny_class);
	if (!src || !dst || !port || !deny)
		return TP_R_no_policy;

	return match_rules(src, dst, port, deny, rule);
}

/* Whether this generation's refusals are only counted. Asked about what it refuses, so seldom. */
static __always_inline bool policy_only_logs(__u64 generation)
{
	__u32 slot = generation & 1, log_class = TP_CLASS_LOG;
	void *rules = bpf_map_lookup_elem(&tp_rules, &slot);
	struct tp_rule_bits *log = rules ? bpf_map_lookup_elem(rules, &log_class) : NULL;

	return log && log->summary;
}

#endif
