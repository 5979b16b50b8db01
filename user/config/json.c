// SPDX-License-Identifier: GPL-2.0-only
#include "config/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "config/json_scan.h"

/* struct json is never defined: it is cJSON seen from outside */
static const cJSON *inside(const struct json *json)
{
	return (const cJSON *)json;
}

static const struct json *outside(const cJSON *item)
{
	return (const struct json *)item;
}

int json_read(const char *text, size_t length, struct json **root, struct json_error *error)
{
	AUTO_FREE char *copy = NULL;
	cJSON *read;
	int r;

	memset(error, 0, sizeof(*error));
	if (length > JSON_SIZE_MAX) {
		snprintf(error->text, sizeof(error->text),
			 "the file has %zu bytes; the limit is %d MiB", length,
			 JSON_SIZE_MAX >> 20);
		return -EINVAL;
	}

	copy = mem_alloc(length + 1, 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, length);

	r = json_scan(copy, length, error);
	if (r)
		return r;

	/* the scan has left nothing for cJSON to refuse, so it can only be out of memory */
	read = cJSON_ParseWithLength(copy, length);
	if (!read)
		return -ENOMEM;

	*root = (struct json *)read;
	return 0;
}

void json_free(struct json *root)
{
	cJSON_Delete((cJSON *)root);
}

enum json_type json_type(const struct json *json)
{
	const cJSON *item = inside(json);

	if (cJSON_IsBool(item))
		return JSON_BOOL;
	if (cJSON_IsNumber(item))
		return JSON_NUMBER;
	if (cJSON_IsString(item))
		return JSON_STRING;
	if (cJSON_IsArray(item))
		return JSON_LIST;
	if (cJSON_IsObject(item))
		return JSON_OBJECT;
	return JSON_NULL;
}

bool json_bool(const struct json *json)
{
	return cJSON_IsTrue(inside(json));
}

double json_number(const struct json *json)
{
	return inside(json)->valuedouble;
}

const char *json_string(const struct json *json)
{
	return inside(json)->valuestring;
}

const struct json *json_first(const struct json *json)
{
	return outside(inside(json)->child);
}

const struct json *json_next(const struct json *json)
{
	return outside(inside(json)->next);
}

const char *json_key(const struct json *json)
{
	return inside(json)->string;
}

const struct json *json_find(const struct json *json, const char *key)
{
	return outside(cJSON_GetObjectItemCaseSensitive(inside(json), key));
}
