/* SPDX-License-Identifier: GPL-2.0-only */
/* What cJSON leaves to us when we write: exact 64-bit numbers, null for "never", output. */
#ifndef TP_REPORT_JSON_OUT_H
#define TP_REPORT_JSON_OUT_H

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>

/* A new object at the end of an array; NULL when memory is out, which cJSON's adders accept. */
cJSON *json_out_item(cJSON *array);
void json_out_string_item(cJSON *array, const char *text);
/* An integer with all its digits: cJSON's own numbers are doubles. */
void json_out_number(cJSON *object, const char *key, uint64_t value);
/* A time as text, null when the text is empty. */
void json_out_time(cJSON *object, const char *key, const char *text);
/* Prints with a newline. 0, -ENOMEM or -EIO. */
int json_out_print(FILE *out, const cJSON *root);

#endif
