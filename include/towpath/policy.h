/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The compiled policy (Lakshman and Stiliadis, "bit vector" packet classification).
 *
 *	tp_src:   source address      -> class	(LPM)
 *	tp_dst:   destination address -> class	(LPM)
 *	tp_ports: protocol, port      -> class	(LPM)
 *	tp_rules: class -> bit vector over rules
 *
 * A packet matches the rules whose bit is set in all three vectors. It is allowed if one of them
 * accepts and none denies; class TP_CLASS_DENY is the vector of the rules that deny. An address
 * or port that no rule names has class TP_CLASS_NONE, whose vector is empty.
 *
 * Class TP_CLASS_LOG is empty too, unless the policy says `"enforce": "log"`: then it is full, and
 * what the rules refuse is counted and goes on. It stands here, and not among the settings, to take
 * effect with the rules that it is about: a packet sees both of one generation.
 */
#ifndef TOWPATH_POLICY_H
#define TOWPATH_POLICY_H

#include <linux/types.h>
#include <towpath/layout.h>

#define TP_CLASS_NONE   0
#define TP_CLASS_DENY   1
#define TP_CLASS_LOG    2
#define TP_CLASS_UNTOLD (~0U) /* by no route: ask the table */
#define TP_CLASS_USER   3     /* first class the compiler may use */

struct tp_rule_bits {
	__u64 summary; /* bit i: word i is not zero */
	__u64 words[TP_RULE_WORDS];
};

/* Key of tp_ports. prefix_len: 0 any protocol, 16 any port of it, 32 one port. */
struct tp_port_key {
	__u32 prefix_len;
	__u8 proto; /* IPPROTO_*, as the packet has it: ICMP and ICMPv6 differ */
	__u8 pad;
	__be16 port; /* destination port; 0 for a protocol without ports */
};

/* Value of tp_rule_info: a rule in words. The programs never read it. */
struct tp_rule_info {
	__u32 grant; /* index in the policy's "grants" */
	__u32 deny;  /* 1: it refuses */
	char text[TP_RULE_TEXT_SIZE];
};

struct tp_counter {
	__u64 packets;
	__u64 bytes; /* from the IP header on */
};

_Static_assert(TP_RULE_WORDS == 64, "summary has one bit a word");
_Static_assert(sizeof(struct tp_rule_bits) == 8 + TP_RULE_MAX / 8, "no hole");
_Static_assert(sizeof(struct tp_rule_info) == 256, "no hole");
_Static_assert(sizeof(struct tp_port_key) == 8, "no hole");

#endif
