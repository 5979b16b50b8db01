/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sd_notify(3) without libsystemd: the protocol is one datagram of lines to $NOTIFY_SOCKET.
 * Nobody who starts us without it notices. What could not be sent goes with the next news.
 */
#ifndef TP_DAEMON_NOTIFY_H
#define TP_DAEMON_NOTIFY_H

#include <stdbool.h>

#include "base/err.h"

#define NOTIFY_STATUS_SIZE 2048 /* two causes as long as they come; systemd takes 4096 */

struct notify {
	int fd;                          /* -1: nobody wants to know */
	bool ready;                      /* that has been said, and cannot be taken back */
	bool owed;                       /* but it did not get through */
	char status[NOTIFY_STATUS_SIZE]; /* what was last said with it */
};

/* Takes $NOTIFY_SOCKET out of the environment: what we start has nothing to say there. */
int notify_open(struct notify *notify, struct err *err);
void notify_close(struct notify *notify);

/* status is one line for people. */
void notify_ready(struct notify *notify, const char *status);
/* The status alone; after notify_ready, and not while there is no news. */
void notify_status(struct notify *notify, const char *status);
void notify_waiting(struct notify *notify, const char *status); /* not ready yet, when it is news */
void notify_reloading(const struct notify *notify);
void notify_stopping(const struct notify *notify, const char *status);

#endif
