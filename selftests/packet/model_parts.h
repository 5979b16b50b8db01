/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the model share. */
#ifndef SELFTESTS_PACKET_MODEL_PARTS_H
#define SELFTESTS_PACKET_MODEL_PARTS_H

#include "model.h"
#include "model_policy.h"

/* One packet before and after. */
struct judged {
	enum tp_side side;
	const uint8_t *in_ip, *out_ip;
	size_t in_size, out_size;
	struct wire in, out;
	bool valid, out_valid, unchanged;
	struct model_counts *counts;
};

/* Fragments of one datagram: what the first one was, and became. */
struct train {
	enum tp_side side;
	struct wire first;
	struct end out_src, out_dst;
};

bool end_is(const struct end *a, const struct end *b);
/* answers: the packet goes the other way. */
struct talk *talk_find(const struct wire *w, enum tp_side side, bool *answers);
/* One with the same inside end, or (outside) with the same outside port. */
const struct talk *talk_of_mapping(const struct talk *wanted, bool outside);
void talk_add(const struct talk *talk);
void train_add(const struct train *train);
const struct train *train_find(const struct wire *w, enum tp_side side);

/* What stays on its link: multicast, broadcast, neighbour discovery. */
bool is_link_scope(const struct wire *w);
bool is_discovery(const struct wire *w);
/* Nothing that the mesh could get: the rest of the machine's traffic. */
bool lan_may_pass(const struct judged *j);

/* Each NULL or what is wrong. to_stack: forwarding is left to the stack. */
const char *judge_known(const struct judged *j, bool to_stack);
const char *judge_leaving(const struct judged *j);
/* What passes to the stack may be the first of fragments that need no stack. */
void note_passed(const struct judged *j);
const char *judge_later_fragment(const struct judged *j);
const char *judge_error(const struct judged *j);
const char *judge_answer(const struct judged *j);

/* The packet as it should be now: `from` with other ends; all but TTL and MSS compared. */
const char *compare_translated(const struct judged *j, const struct end *src,
			       const struct end *dst);

#endif
