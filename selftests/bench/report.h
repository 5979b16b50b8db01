/* SPDX-License-Identifier: GPL-2.0-only */
/* Medians, quartiles and ratios as a table, which is Markdown and looks well on a terminal. */
#ifndef SELFTESTS_BENCH_REPORT_H
#define SELFTESTS_BENCH_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "lane.h"

/* What the others are compared with; the columns of the table. */
enum peer { PEER_KERNEL, PEER_NFT, PEER_XDP_FIB, PEER_FLOOR, PEERS };

/* A line of work: where packets come from, how many flows they are of. */
struct work {
	const char *title;
	bool from_tun;
	uint32_t flows;
	const char *base; /* configuration whose cost is not the router's; NULL: none */
	const char *peers[PEERS];
	double targets[PEERS]; /* of towpath: at least so much faster; 0: none */
};

struct result {
	struct lane *lane;
	struct cost *costs; /* a round each */
	struct err why;     /* no number; code 0: there is one */
};

void report_print(FILE *file, const struct work *work, const struct result *results, int count,
		  unsigned int rounds);

#endif
