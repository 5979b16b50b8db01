/* SPDX-License-Identifier: GPL-2.0-only */
/* The syntax of JSON, judged before a parser sees the text. Used by json.c alone. */
#ifndef TP_CONFIG_JSON_SCAN_H
#define TP_CONFIG_JSON_SCAN_H

#include <stddef.h>

#include "config/json.h"

/*
 * Checks a text that ends with a NUL and turns comments and trailing commas into spaces; line
 * breaks stay. 0: what is left is strict JSON. -EINVAL with `error` set.
 */
int json_scan(char *text, size_t length, struct json_error *error);

#endif
