/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text to tree. Strict JSON (RFC 8259) plus what people who edit by hand need: comments (`//` and
 * `/ * * /`) and trailing commas. The tree keeps repeated keys, in file order; whoever reads an
 * object decides about them. Strings are valid UTF-8 without a NUL.
 */
#ifndef TP_CONFIG_JSON_H
#define TP_CONFIG_JSON_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_SIZE_MAX   (16 << 20) /* bytes of text */
#define JSON_DEPTH_MAX  32
#define JSON_VALUES_MAX 1000000 /* a value costs 64 bytes and more, whatever the text costs */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_OBJECT };

/* A value of the tree; lives as long as the root it was read with. */
struct json;

struct json_error {
	size_t line, column; /* from 1, columns in characters; 0: the text as a whole */
	char text[192];
};

/*
 * *root is the caller's (json_free). -EINVAL: no valid text, `error` says where and why;
 * -ENOMEM.
 */
int json_read(const char *text, size_t length, struct json **root, struct json_error *error);
void json_free(struct json *root);

enum json_type json_type(const struct json *json);
bool json_bool(const struct json *json);          /* of a JSON_BOOL */
double json_number(const struct json *json);      /* of a JSON_NUMBER */
const char *json_string(const struct json *json); /* of a JSON_STRING */
/* Children of a list or object in file order, NULL behind the last. */
const struct json *json_first(const struct json *json);
const struct json *json_next(const struct json *json);
const char *json_key(const struct json *json); /* NULL when it stands in no object */
/* The first member with this key, or NULL. */
const struct json *json_find(const struct json *json, const char *key);

#endif
