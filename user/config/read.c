// SPDX-License-Identifier: GPL-2.0-only
/* Objects, maps and lists. */
#include "config/read.h"

#include <string.h>

#include "base/mem.h"

#define FIELDS_MAX 32

struct value value_first(const struct value *up)
{
	const struct json *first = json_first(up->json);

	return (struct value){
		.json = first,
		.up = up,
		.key = first ? json_key(first) : NULL,
	};
}

void value_next(struct value *value)
{
	value->json = json_next(value->json);
	value->key = value->json ? json_key(value->json) : NULL;
	value->index++;
}

struct value value_find(const struct value *up, const char *key)
{
	return (struct value){
		.json = json_find(up->json, key),
		.up = up,
		.key = key,
	};
}

static const struct field *field_find(const struct field *fields, const char *key)
{
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

/* The field that was perhaps meant, or NULL. */
static const struct field *report_unknown(struct reader *reader, const struct value *value,
					  const struct field *fields)
{
	const char *keys[FIELDS_MAX] = { 0 };
	const char *meant;
	size_t count;

	for (count = 0; count < FIELDS_MAX && fields[count].key; count++)
		keys[count] = fields[count].key;
	meant = nearest_word(value->key, keys, count);
	read_error_meant(reader, value, meant, "unknown key %s", QUOTE(value->key));
	return meant ? field_find(fields, meant) : NULL;
}

static void read_member(struct reader *reader, const struct value *value, const struct field *field,
			void *out)
{
	if (field->nullable && json_type(value->json) == JSON_NULL)
		return;
	field->read(reader, value, field, (char *)out + field->offset);
}

/* A bit for each field: at most FIELDS_MAX. */
static uint32_t bit_of(const struct field *field, const struct field *fields)
{
	return field ? 1u << (field - fields) : 0;
}

static void report_missing(struct reader *reader, const struct value *value,
			   const struct field *fields, uint32_t met)
{
	const struct field *field;

	for (field = fields; field->key; field++)
		if (field->required && !(met & bit_of(field, fields)))
			read_error(reader, value, "missing key \"%s\"%s", field->key,
				   field->mend ? field->mend : "");
}

void read_object(struct reader *reader, const struct value *value, const struct field *fields,
		 void *out)
{
	uint32_t met = 0;
	uint32_t meant = 0; /* misspelt: one error is enough */

	if (!read_is(reader, value, JSON_OBJECT))
		return;

	for (struct value member = value_first(value); member.json; value_next(&member)) {
		const struct field *field = field_find(fields, member.key);
		uint32_t bit = bit_of(field, fields);

		if (!field)
			meant |= bit_of(report_unknown(reader, &member, fields), fields);
		else if (met & bit)
			read_error(reader, &member, "repeated key \"%s\"", field->key);
		else
			read_member(reader, &member, field, out);
		met |= bit;
	}

	report_missing(reader, value, fields, met | meant);
}

static bool is_within(struct reader *reader, const struct value *value, size_t max,
		      const char *what)
{
	const struct json *json = json_first(value->json);
	size_t count = 0;

	for (; json; json = json_next(json))
		count++;
	if (count > max)
		read_error(reader, value, "has %zu %s; the limit is %zu", count, what, max);
	return count <= max;
}

bool read_is_list(struct reader *reader, const struct value *value, size_t max, const char *what)
{
	return read_is(reader, value, JSON_LIST) && is_within(reader, value, max, what);
}

static void check_repeated(struct reader *reader, const struct value *member, struct seen *keys)
{
	const struct sighting sighting = { .key = member->key, .length = strlen(member->key) };
	struct sighting first;

	if (seen_add(keys, &sighting, &first))
		read_no_memory(reader);
	else if (first.key)
		read_error(reader, member, "repeated key %s", QUOTE(member->key));
}

void read_map(struct reader *reader, const struct value *value, const struct map *map, void *out)
{
	struct seen keys = { 0 };

	if (!read_is(reader, value, JSON_OBJECT) || !is_within(reader, value, map->max, map->what))
		return;

	for (struct value member = value_first(value); member.json; value_next(&member)) {
		check_repeated(reader, &member, &keys);
		/* a bad name is no reason to keep quiet about what stands below it */
		if (map->check)
			map->check(reader, &member, member.key);
		map->read(reader, &member, out);
	}

	seen_free(&keys);
}
