// SPDX-License-Identifier: GPL-2.0-only
/* Where a value stands, and errors about it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define BASE64_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define BARE_CHARACTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* Base64 of about 32 bytes: perhaps a private key that was put into the wrong place. */
static bool looks_like_key(const char *text)
{
	size_t length = strspn(text, BASE64_CHARACTERS);

	return length >= 40 && length <= 44 && text[length] == '=' &&
	       strspn(text + length, "=") == strlen(text + length);
}

/* A terminal takes these for commands: C0, DEL, and C1 (in UTF-8 0xc2 0x80..0x9f). */
static bool is_control(const char *text)
{
	unsigned char first = (unsigned char)text[0];

	return first < 0x20 || first == 0x7f ||
	       (first == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0);
}

static size_t character_length(const char *text)
{
	size_t length = 1;

	while ((text[length] & 0xc0) == 0x80)
		length++;
	return length;
}

const char *quote_put(char buf[QUOTE_SIZE], const char *text)
{
	const char *const shown_end = buf + 1 + QUOTE_SHOWN_MAX;
	char *out = buf;

	if (looks_like_key(text))
		return strcpy(buf, "\"(a key)\"");

	*out++ = '"';
	while (*text) {
		size_t length = character_length(text);

		/* the longest escape has 6 bytes */
		if (out + (length < 6 ? 6 : length) > shown_end) {
			out = stpcpy(out, "…");
			break;
		}
		if (is_control(text))
			out += sprintf(out, "\\u%04x", (unsigned char)text[length - 1]);
		else if (*text == '"' || *text == '\\')
			out += sprintf(out, "\\%c", *text);
		else
			out = mempcpy(out, text, length);
		text += length;
	}
	strcpy(out, "\"");
	return buf;
}

static bool is_bare(const char *key)
{
	size_t length = strspn(key, BARE_CHARACTERS);

	return length && !key[length] && length < QUOTE_SHOWN_MAX;
}

/* The deepest value, a key below it that is not there, and the top. */
#define PLACE_SIZE ((JSON_DEPTH_MAX + 2) * (QUOTE_SIZE + sizeof("[]")))

/* From the top down to value, into room for all of it; the end of what is written. */
static char *place_put(char *out, const struct value *value)
{
	if (!value->up)
		return stpcpy(out, "$");

	out = place_put(out, value->up);
	if (!value->key)
		return out + sprintf(out, "[%zu]", value->index);
	if (is_bare(value->key))
		return out + sprintf(out, ".%s", value->key);
	return out + sprintf(out, "[%s]", QUOTE(value->key));
}

char *value_place(struct reader *reader, const struct value *value)
{
	char text[PLACE_SIZE];
	char *place;

	place_put(text, value);
	place = mem_copy_string(text);
	if (!place)
		read_no_memory(reader);
	return place;
}

char *value_place_below(struct reader *reader, const struct value *up, const char *key)
{
	const struct value below = { .up = up, .key = key };

	return value_place(reader, &below);
}

void read_no_memory(struct reader *reader)
{
	reader->r = -ENOMEM;
}

/* A file of garbage must not fill the memory with errors: at the limit the last one says so. */
static bool has_room(struct reader *reader)
{
	reader->errors++;
	if (reader->errors <= READ_ERRORS_MAX)
		return true;
	if (reader->errors == READ_ERRORS_MAX + 1 &&
	    problems_add(reader->problems, "$", "more than %d errors; the others are not shown",
			 READ_ERRORS_MAX))
		read_no_memory(reader);
	return false;
}

static __attribute__((format(printf, 4, 0))) void report(struct reader *reader,
							 const struct value *value,
							 const char *meant, const char *format,
							 va_list args)
{
	AUTO_FREE char *place = NULL;
	char message[1024];
	size_t length;

	if (!has_room(reader))
		return;

	vsnprintf(message, sizeof(message), format, args);
	length = strlen(message);
	if (meant)
		snprintf(message + length, sizeof(message) - length, "; did you mean %s?",
			 QUOTE(meant));

	place = value_place(reader, value);
	if (place && problems_add(reader->problems, place, "%s", message))
		read_no_memory(reader);
}

void read_error(struct reader *reader, const struct value *value, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(reader, value, NULL, format, args);
	va_end(args);
}

void read_error_meant(struct reader *reader, const struct value *value, const char *meant,
		      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(reader, value, meant, format, args);
	va_end(args);
}

static const char *type_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",       [JSON_BOOL] = "true or false",
		[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
		[JSON_LIST] = "a list",     [JSON_OBJECT] = "an object",
	};

	return names[type];
}

bool read_is(struct reader *reader, const struct value *value, enum json_type type)
{
	enum json_type found = json_type(value->json);

	if (found == type)
		return true;
	if (type == JSON_LIST && found == JSON_STRING)
		read_error(reader, value, "must be a list, not a string; put it into [ ]");
	else if (type == JSON_NUMBER && found == JSON_STRING)
		read_error(reader, value, "must be a number, not a string; take the quotes away");
	else if (type == JSON_STRING && found == JSON_NUMBER)
		read_error(reader, value, "must be a string, not a number; put it into quotes");
	else
		read_error(reader, value, "must be %s, not %s", type_name(type), type_name(found));
	return false;
}
