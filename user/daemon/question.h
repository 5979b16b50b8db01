/* SPDX-License-Identifier: GPL-2.0-only */
/* One question to a server, to see whether it lives. */
#ifndef TP_DAEMON_QUESTION_H
#define TP_DAEMON_QUESTION_H

#include "base/addr.h"
#include "daemon/loop.h"

enum question_kind {
	QUESTION_TCP,  /* a connection comes about */
	QUESTION_DNS,  /* over UDP: who serves the root; any answer to it counts */
	QUESTION_HTTP, /* GET, answered with 2xx or 3xx */
};

#define QUESTION_ANSWER_SIZE 16

/* At a place that does not change from question_open to question_close. */
struct question {
	struct loop *loop;
	struct loop_timer timeout;
	struct loop_source source; /* fd is the socket's while it is watched */
	enum question_kind kind;
	struct endpoint to;
	const char *path; /* of QUESTION_HTTP; not the question's own */
	bool asked;       /* what there is to say has been sent */
	uint16_t id;      /* of the DNS query */
	char answer[QUESTION_ANSWER_SIZE];
	size_t length;
	const struct question_owner *owner;
	void *data; /* the owner's */
};

struct question_owner {
	/* A socket to ask by, not connected yet, or a negative errno; as socket(2), domain and
	 * type. */
	int (*socket)(void *data, int domain, int type);
	/* At most once for each question_ask that could be asked, never from within it. */
	void (*done)(void *data, bool lives);
};

int question_open(struct question *question, struct loop *loop, const struct question_owner *owner,
		  void *data, struct err *err);
void question_close(struct question *question); /* one that was never opened is fine */

/*
 * kind, to and path are set. Gives up the one before, if it is not over. 0, or a negative errno
 * when this machine lacks what it takes to ask (descriptors, memory): nothing was found out then.
 */
int question_ask(struct question *question, uint32_t timeout_ms);

#endif
