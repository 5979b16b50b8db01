// SPDX-License-Identifier: GPL-2.0-only
/* docs/policy.schema.json says what the reader's tables say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/read.h"
#include "test.h"

#define SCHEMA "docs/policy.schema.json"

static struct json *read_schema(void)
{
	AUTO_FREE char *text = NULL;
	struct json *root = NULL;
	struct json_error error;
	struct err err;
	size_t length;
	int r;

	if (!test_check(!file_read(SCHEMA, 1 << 20, &text, &length, &err), __FILE__, __LINE__, "%s",
			err.text))
		return NULL;
	r = json_read(text, length, &root, &error);
	test_check(!r, __FILE__, __LINE__, SCHEMA " line %zu: %s", error.line, error.text);
	return root;
}

/* The schema of the object that a table reads: the top itself, or one of $defs. */
static const struct json *schema_of(const struct json *root, const struct field_table *table)
{
	if (!strcmp(table->name, "policy"))
		return root;
	return json_find(json_find(root, "$defs"), table->name);
}

static size_t count_of(const struct json *list)
{
	const struct json *item = list ? json_first(list) : NULL;
	size_t count = 0;

	for (; item; item = json_next(item))
		count++;
	return count;
}

static bool has_string(const struct json *list, const char *text)
{
	const struct json *item = list ? json_first(list) : NULL;

	for (; item; item = json_next(item))
		if (!strcmp(json_string(item), text))
			return true;
	return false;
}

static void check_words(const char *table, const struct field *field, const struct json *schema)
{
	const struct json *words = json_find(schema, "enum");
	size_t count;

	for (count = 0; field->words[count]; count++)
		test_check(has_string(words, field->words[count]), __FILE__, __LINE__,
			   "%s.%s does not know \"%s\"", table, field->key, field->words[count]);
	test_check(count_of(words) == count, __FILE__, __LINE__, "%s.%s has %zu words, not %zu",
		   table, field->key, count_of(words), count);
}

static void check_bounds(const char *table, const struct field *field, const struct json *schema)
{
	const struct json *min = json_find(schema, "minimum");
	const struct json *max = json_find(schema, "maximum");

	test_check(min && max && json_number(min) == field->min && json_number(max) == field->max,
		   __FILE__, __LINE__, "%s.%s is not %u to %u", table, field->key, field->min,
		   field->max);
}

static void check_field(const char *table, const struct field *field, const struct json *schema)
{
	if (!test_check(schema != NULL, __FILE__, __LINE__, "%s lacks %s", table, field->key))
		return;
	if (field->words)
		check_words(table, field, schema);
	/* of an MTU the bounds are behind a reference */
	if (field->max && !strstr(field->key, "mtu"))
		check_bounds(table, field, schema);
}

static void check_table(const struct field_table *table, const struct json *schema)
{
	const struct json *properties = json_find(schema, "properties");
	const struct json *required = json_find(schema, "required");
	const struct json *closed = json_find(schema, "additionalProperties");
	const struct field *field;
	size_t required_count = 0;

	test_check(closed && json_type(closed) == JSON_BOOL && !json_bool(closed), __FILE__,
		   __LINE__, "%s takes unknown keys", table->name);
	for (field = table->fields; field->key; field++) {
		check_field(table->name, field, json_find(properties, field->key));
		required_count += field->required;
		test_check(field->required == has_string(required, field->key), __FILE__, __LINE__,
			   "%s and the reader differ on whether %s is required", table->name,
			   field->key);
	}
	test_check(count_of(properties) == (size_t)(field - table->fields), __FILE__, __LINE__,
		   "%s has %zu keys, the reader %td", table->name, count_of(properties),
		   field - table->fields);
	CHECK_INT(count_of(required), required_count);
}

TEST(has_the_keys_of_every_table_and_no_others)
{
	const struct field_table *table;
	struct json *root = read_schema();

	REQUIRE(root);
	for (table = read_tables; table->name; table++) {
		const struct json *schema = schema_of(root, table);

		if (test_check(schema != NULL, __FILE__, __LINE__, "no %s", table->name))
			check_table(table, schema);
	}
	json_free(root);
}

/* Whether it, or what it refers to, is described. */
static bool is_described(const struct json *root, const struct json *schema)
{
	const struct json *reference = json_find(schema, "$ref");

	if (json_find(schema, "description"))
		return true;
	return reference && json_find(json_find(json_find(root, "$defs"),
						strrchr(json_string(reference), '/') + 1),
				      "description");
}

TEST(describes_every_key)
{
	const struct field_table *table;
	struct json *root = read_schema();

	REQUIRE(root);
	for (table = read_tables; table->name; table++) {
		const struct json *schema = schema_of(root, table);
		const struct json *key = schema ? json_find(schema, "properties") : NULL;

		for (key = key ? json_first(key) : NULL; key; key = json_next(key))
			test_check(is_described(root, key), __FILE__, __LINE__,
				   "%s.%s is not described", table->name, json_key(key));
	}
	json_free(root);
}

TEST(every_reference_leads_somewhere)
{
	AUTO_FREE char *text = NULL;
	struct json *root = read_schema();
	const char *at;
	struct err err;
	size_t length;

	REQUIRE(root);
	CHECK_INT(file_read(SCHEMA, 1 << 20, &text, &length, &err), 0);
	for (at = text; at && (at = strstr(at, "#/$defs/"));) {
		AUTO_FREE char *name = NULL;

		at += strlen("#/$defs/");
		name = mem_format("%.*s", (int)strcspn(at, "\""), at);
		REQUIRE(name);
		test_check(json_find(json_find(root, "$defs"), name) != NULL, __FILE__, __LINE__,
			   "no %s in $defs", name);
	}
	json_free(root);
}
