/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Endpoints that the policy gives as DNS names, while `run` stays: each is looked up at once and
 * beside the loop, and again whenever its peer's handshake stalls. An answer that differs from
 * where the peer is sets that peer's endpoint, by one message, and nothing else.
 */
#ifndef TP_CMD_RUN_ENDPOINTS_H
#define TP_CMD_RUN_ENDPOINTS_H

#include "cmd/pipeline.h"
#include "daemon/loop.h"
#include "model/running.h"

/* As wg's reresolve-dns: a session that is used renews its keys every 120 s. */
#define RUN_STALL_AFTER_S 135

struct run_name; /* a peer's DNS name, and what is known of it */

struct run_endpoints {
	struct loop *loop;
	struct loop_timer timer;
	struct problems *unresolved; /* in struct running */
	uint32_t stall_after_s;
	char device[IF_NAMESIZE];
	enum state_backend backend;
	char *netns; /* that device lives in; NULL: in ours */
	ARRAY_OF(struct run_name *) names;
};

/* stall_after_s: 0 = RUN_STALL_AFTER_S. */
int run_endpoints_open(struct run_endpoints *endpoints, struct loop *loop, uint32_t stall_after_s,
		       struct problems *unresolved, struct err *err);
void run_endpoints_close(struct run_endpoints *endpoints); /* one never opened is fine */

/* The pipeline takes answers from here: it never waits for one. */
struct gather_names run_endpoints_answers(const struct run_endpoints *endpoints);

/* The policy of p is in force now. -ENOMEM: some names are not followed. */
int run_endpoints_follow(struct run_endpoints *endpoints, const struct pipeline *p);

#endif
