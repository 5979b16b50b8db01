/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies of a size that is asked for, written by selftests/scale/generate-policy, and packets
 * with its own reading of the grants.
 */
#ifndef SELFTESTS_PACKET_SCALE_H
#define SELFTESTS_PACKET_SCALE_H

#include "packet.h"

#define SCALE_SAMPLES_MAX 1000

/* A packet from the tunnel, and what becomes of it. */
struct sample {
	enum family family;
	int proto, dport;
	char src[48], dst[48];
	bool allowed;
	int grant; /* that decides; -1: none */
};

struct scale {
	char *policy, *reversed; /* the same grants in the opposite order */
	struct sample samples[SCALE_SAMPLES_MAX];
	size_t count;
};

/*
 * By the generator's options, "" for the largest. False: there is nothing to test with, which has
 * been said. *out is zero, and the caller's (scale_free).
 */
bool scale_make(struct scale *out, const char *options);
void scale_free(struct scale *scale);

/* The packet's frame, with that source port or identifier; returns its size. */
size_t scale_frame(const struct sample *sample, int number, uint8_t *frame);

#endif
