/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A naive router: what the policy of test_property.c allows, which conversations there are, and
 * what a translator may make of a packet. It learns which port NAT chose by looking at the first
 * packet that leaves with it, and from then on insists.
 */
#ifndef SELFTESTS_PACKET_MODEL_H
#define SELFTESTS_PACKET_MODEL_H

#include "rig.h"
#include "wire.h"

/* A conversation: as its opener sends it, and as it goes on from here. */
struct talk {
	enum family family;
	uint8_t proto;
	enum tp_side side;     /* the opener's */
	enum tp_side out_side; /* the answerer's; 0: this machine */
	struct end src, dst;   /* as it enters */
	struct end out_src, out_dst;
	bool closing; /* FIN or RST was seen */
};

void model_forget(void);
size_t model_talks(void);
const struct talk *model_talk(size_t i);

/* A packet that was put in, and what came of it. */
struct trial {
	enum hook hook;
	const uint8_t *in;
	size_t in_size;
	const struct run *run;
};

/* NULL, or what is wrong with that. Learns from it. */
const char *model_judge(const struct trial *trial);
/* The same for a packet that the stack forwards from the tunnel to a LAN: hook is on the way out.
 */
const char *model_judge_leaving(const struct trial *trial);

/* What kinds of packet have been seen to be forwarded, so that a test can tell it was no idle one.
 */
struct model_counts {
	unsigned int opened, went_on, answered, errors, fragments, left, refused, delivered,
		malformed;
};

const struct model_counts *model_counts(void);

#endif
