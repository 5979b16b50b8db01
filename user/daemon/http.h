/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An HTTP server for a few pages that are made on request. It lives in our event loop: no thread,
 * and a client that is slow costs a descriptor until it is timed out.
 */
#ifndef TP_DAEMON_HTTP_H
#define TP_DAEMON_HTTP_H

#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "daemon/loop.h"

struct http;

struct http_page {
	unsigned int status; /* 200, 404, 503 */
	const char *type;    /* static */
	char *body;          /* malloc'd, taken over */
	size_t length;
};

/* Fills page, which comes as an empty 500. */
typedef void (*http_respond)(void *data, const char *path, struct http_page *page);

/* An address that this machine does not have yet is fine: a tunnel may bring it. */
int http_open(struct http **out, struct loop *loop, const struct endpoint *listen,
	      http_respond respond, void *data, struct err *err);
void http_close(struct http *http); /* NULL is fine */

#endif
