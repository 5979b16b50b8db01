/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What only a running daemon knows, and the kernel does not. `towpath status` asks for it over
 * the control socket (daemon/control.c).
 */
#ifndef TP_MODEL_RUNNING_H
#define TP_MODEL_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"

#define RUNNING_ERRORS_MAX 100 /* of a rejected file; more are counted, not kept */

enum running_result { RUNNING_APPLIED, RUNNING_UNCHANGED, RUNNING_REJECTED };
#define RUNNING_RESULTS 3

/* What the daemon puts right when the kernel's state is not what it was. */
enum running_object {
	RUNNING_LINK,
	RUNNING_PEER,
	RUNNING_ADDRESS,
	RUNNING_ROUTE,
	RUNNING_SYSCTL,
	RUNNING_PROGRAM,
	RUNNING_MAP,
};
#define RUNNING_OBJECTS 7

/* What a daemon with nothing set up is waiting for. */
enum running_wait {
	RUNNING_WAIT_KEY,     /* the policy does not know this node's */
	RUNNING_WAIT_LISTED,  /* the policy is of other nodes, which is fine */
	RUNNING_WAIT_NETWORK, /* a device, an address or a namespace is not there yet */
};
#define RUNNING_WAITS 3

struct running {
	uint32_t pid;
	int64_t since;          /* seconds since the epoch, as all times here */
	char *file;             /* the policy's absolute path; owned */
	int64_t rejected_at;    /* 0: the file is in force */
	struct problems errors; /* why it was rejected; at least one */
	uint64_t errors_left_out;
	struct problems unresolved; /* names of endpoints, at most RUNNING_ERRORS_MAX */
	uint64_t reloads[RUNNING_RESULTS];
	char *waiting;          /* why nothing is set up yet; NULL: it is. Owned */
	enum running_wait wait; /* with waiting */
	char *failure;          /* why what is in force cannot be put right; NULL: it is. Owned */
	uint64_t repairs[RUNNING_OBJECTS];
};

void running_free(struct running *running); /* what it holds, not itself */
const char *running_result_name(enum running_result result);
const char *running_object_name(enum running_object object);
/* Nothing is to be set up here, which is fine. */
bool running_is_idle(const struct running *running);
/* With nothing set up there still is something to tell: why. */
bool running_is_tried(const struct running *running);

#endif
