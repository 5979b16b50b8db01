/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A DNS name looked up beside the event loop. getaddrinfo may take as long as its servers like, so
 * a child process of its own calls it, which can be given up at any time.
 */
#ifndef TP_CMD_LOOKUP_H
#define TP_CMD_LOOKUP_H

#include <sys/types.h>

#include "base/addr.h"
#include "daemon/loop.h"

/* At a place that does not change while it runs; zeroed before. */
struct lookup {
	pid_t pid; /* 0: none runs */
	struct loop *loop;
	struct loop_source answer;
	struct loop_timer limit;
	/* Once, also when time runs out: 0 and the first address, or an EAI_ code. */
	void (*done)(void *data, int code, const struct addr *addr);
	void *data;
};

int lookup_start(struct lookup *lookup, struct loop *loop, const char *host,
		 void (*done)(void *data, int code, const struct addr *addr), void *data,
		 struct err *err);
void lookup_stop(struct lookup *lookup); /* one that does not run is fine */

/* In the caller's process, which waits. 0, or an EAI_ code. */
int lookup_now(const char *host, struct addr *out);

#endif
