/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct running as it goes over the control socket: lines of a word, a blank and a value. An
 * error is its place, a tab, its message. Pure.
 */
#ifndef TP_DAEMON_ANSWER_H
#define TP_DAEMON_ANSWER_H

#include <stddef.h>

#include "model/running.h"

#define ANSWER_SIZE 65536 /* one packet; errors that do not fit are counted as left out */

/* buf of ANSWER_SIZE; the length, without a NUL. Counters do not go along. */
size_t answer_put(char *buf, const struct running *running);
/* 0, -EPROTO or -ENOMEM; *out untouched on failure, the caller's (running_free) otherwise. */
int answer_read(const char *text, size_t length, struct running *out);

#endif
