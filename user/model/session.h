/* SPDX-License-Identifier: GPL-2.0-only */
/* The remote login that a command is typed in, and whether a change would cut it off. */
#ifndef TP_MODEL_SESSION_H
#define TP_MODEL_SESSION_H

#include "base/err.h"
#include "model/state.h"

struct session {
	struct addr client, server;
	uint16_t port; /* the server's, TCP */
};

/*
 * "CLIENT PORT SERVER PORT" of SSH_CONNECTION, sshd(8). 0 or -EINVAL; a session between
 * link-local addresses is none that routes or grants matter to: -EINVAL too.
 */
int session_read(const char *text, struct session *out);

/*
 * have and want are before and after. -ECONNABORTED, and why, when the session comes through our
 * tunnel and would not go on; 0 when it would, or does not come that way; or -ENOMEM.
 */
int session_judge(const struct session *session, const struct state *have, const struct state *want,
		  struct err *err);

#endif
