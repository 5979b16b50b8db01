/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket, /run/towpath/<instance>.sock, of the user who runs the daemon alone. A
 * client connects, gets one packet (daemon/answer.h) and is hung up on: there is nothing to ask
 * for but that, and nobody who could keep the daemon waiting.
 */
#ifndef TP_DAEMON_CONTROL_H
#define TP_DAEMON_CONTROL_H

#include "base/err.h"
#include "daemon/loop.h"
#include "model/running.h"

#define CONTROL_PATH_SIZE 108 /* of sun_path */

/* At a place that does not change; zeroed before control_open. */
struct control {
	struct loop *loop;
	struct loop_source source;
	struct loop_timer breath; /* until it listens again */
	char path[CONTROL_PATH_SIZE];
	const struct running *running; /* the caller's, always current */
};

/* The caller holds the instance's lock, so a socket that is there is nobody's, and is replaced. */
int control_open(struct control *control, struct loop *loop, const char *path,
		 const struct running *running, struct err *err);
void control_close(struct control *control); /* removes the socket */

/*
 * The other end: *out is the caller's. -ENOENT: no daemon runs; anything else: it does, but has
 * not answered in time or not as it should.
 */
int control_ask(const char *path, struct running *out, struct err *err);

#endif
