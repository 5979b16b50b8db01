/* SPDX-License-Identifier: GPL-2.0-only */
/* Says when something in one of a few directories is deleted: a pin of a map or of a link. */
#ifndef TP_DAEMON_PIN_WATCH_H
#define TP_DAEMON_PIN_WATCH_H

#include "base/err.h"
#include "daemon/loop.h"

/* At a place that does not change; zeroed before pin_watch_open. */
struct pin_watch {
	struct loop *loop;
	struct loop_source source;
	void (*gone)(void *data);
	void *data;
};

int pin_watch_open(struct pin_watch *watch, struct loop *loop, void (*gone)(void *data), void *data,
		   struct err *err);
void pin_watch_close(struct pin_watch *watch); /* one that was never opened is fine */

/* Again whenever the directory may be a new one; the same one twice is fine. 0 or negative errno */
int pin_watch_add(struct pin_watch *watch, const char *directory);

#endif
