// SPDX-License-Identifier: GPL-2.0-only
#include "report/json_out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

cJSON *json_out_item(cJSON *array)
{
	cJSON *item = cJSON_CreateObject();

	if (item && !cJSON_AddItemToArray(array, item)) {
		cJSON_Delete(item);
		return NULL;
	}
	return item;
}

void json_out_string_item(cJSON *array, const char *text)
{
	cJSON *item = cJSON_CreateString(text);

	if (item && !cJSON_AddItemToArray(array, item))
		cJSON_Delete(item);
}

void json_out_number(cJSON *object, const char *key, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	cJSON_AddRawToObject(object, key, digits);
}

void json_out_time(cJSON *object, const char *key, const char *text)
{
	if (text[0])
		cJSON_AddStringToObject(object, key, text);
	else
		cJSON_AddNullToObject(object, key);
}

int json_out_print(FILE *out, const cJSON *root)
{
	char *text = cJSON_Print(root);
	int r = 0;

	if (!text)
		return -ENOMEM;
	if (fprintf(out, "%s\n", text) < 0 || fflush(out))
		r = -EIO;
	free(text);
	return r;
}
