/* SPDX-License-Identifier: GPL-2.0-only */
/* Errors as values: a negative errno plus the sentence a person needs. */
#ifndef TP_BASE_ERR_H
#define TP_BASE_ERR_H

#include <stdarg.h>

struct err {
	int code; /* negative errno of the cause, 0 = no error */
	char text[768];
};

/* Each sets err (which may be NULL) and returns code, so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with ": " and strerror(-code) behind the sentence. */
int err_sys(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "what the caller was doing: " in front of an error that is already set. */
int err_wrap(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
