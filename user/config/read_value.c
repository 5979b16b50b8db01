// SPDX-License-Identifier: GPL-2.0-only
/* Numbers, words, strings and keys. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define WORDS_MAX 16

bool read_number(struct reader *reader, const struct value *value, uint32_t min, uint32_t max,
		 uint32_t *out)
{
	double number;

	if (!read_is(reader, value, JSON_NUMBER))
		return false;

	number = json_number(value->json);
	if (number >= min && number <= max && number == (uint32_t)number) {
		*out = (uint32_t)number;
		return true;
	}

	/* beyond 15 digits a double no longer shows what was written */
	if (number >= -1e15 && number <= 1e15)
		read_error(reader, value, "must be a whole number from %u to %u, not %.15g", min,
			   max, number);
	else
		read_error(reader, value, "must be a whole number from %u to %u", min, max);
	return false;
}

READ_FUNCTION(read_u16)
{
	uint32_t number;

	if (read_number(reader, value, field->min, field->max, &number))
		*(uint16_t *)out = (uint16_t)number;
}

READ_FUNCTION(read_u32)
{
	uint32_t number;

	if (read_number(reader, value, field->min, field->max, &number))
		*(uint32_t *)out = number;
}

/* "on", "log": for people */
static void words_put(char *buf, size_t size, const char *const *words)
{
	size_t length = 0;
	size_t i;

	buf[0] = '\0';
	for (i = 0; words[i] && length < size; i++) {
		const char *between = !i ? "" : words[i + 1] ? ", " : " or ";

		length += (size_t)snprintf(buf + length, size - length, "%s\"%s\"", between,
					   words[i]);
	}
}

int read_choice(struct reader *reader, const struct value *value, const char *text,
		const char *const *words)
{
	char known[256];
	size_t count;

	for (count = 0; words[count]; count++)
		if (!strcmp(words[count], text))
			return (int)count;

	words_put(known, sizeof(known), words);
	read_error_meant(reader, value, nearest_word(text, words, count), "%s is not %s",
			 QUOTE(text), known);
	return -1;
}

READ_FUNCTION(read_word)
{
	int choice;

	if (!read_is(reader, value, JSON_STRING))
		return;
	choice = read_choice(reader, value, json_string(value->json), field->words);
	if (choice >= 0)
		*(unsigned int *)out = (unsigned int)choice;
}

const char *read_nonempty(struct reader *reader, const struct value *value)
{
	if (!read_is(reader, value, JSON_STRING))
		return NULL;
	if (*json_string(value->json))
		return json_string(value->json);
	read_error(reader, value, "must not be empty");
	return NULL;
}

void read_copy(struct reader *reader, char **out, const char *text)
{
	char *copy = mem_copy_string(text);

	if (!copy) {
		read_no_memory(reader);
		return;
	}
	free(*out);
	*out = copy;
}

READ_FUNCTION(read_string)
{
	const char *text = read_nonempty(reader, value);

	if (text && field->check(reader, value, text))
		read_copy(reader, out, text);
}

static void set_text(struct reader *reader, const struct value *value, struct config_text *out,
		     const char *text)
{
	read_copy(reader, &out->text, text);
	free(out->place);
	out->place = value_place(reader, value);
}

READ_FUNCTION(read_text)
{
	const char *text = read_nonempty(reader, value);

	if (text && field->check(reader, value, text))
		set_text(reader, value, out, text);
}

const char *read_text_item(struct reader *reader, const struct value *value,
			   const struct field *field, struct config_texts *texts)
{
	const char *text = read_nonempty(reader, value);
	struct config_text *added;

	if (!text || !field->check(reader, value, text))
		return NULL;
	added = array_add(texts);
	if (!added) {
		read_no_memory(reader);
		return NULL;
	}
	set_text(reader, value, added, text);
	return text;
}

READ_FUNCTION(read_texts)
{
	struct config_texts *texts = out;

	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;
	if (field->not_empty && !json_first(value->json))
		read_error(reader, value, "must not be empty");

	for (struct value item = value_first(value); item.json; value_next(&item))
		read_text_item(reader, &item, field, texts);
	array_fit(texts);
}

READ_FUNCTION(read_public_key)
{
	struct key *key = out;
	const char *text;

	(void)field;
	if (!read_is(reader, value, JSON_STRING))
		return;

	/* never the text itself: people paste the private key by mistake */
	text = json_string(value->json);
	if (strlen(text) != KEY_TEXT_SIZE - 1)
		read_error(reader, value,
			   "is not a WireGuard key: it has %zu characters, a key in base64 has %d",
			   strlen(text), KEY_TEXT_SIZE - 1);
	else if (key_read(text, key))
		read_error(reader, value, "is not a WireGuard key: it is not base64 of %d bytes",
			   KEY_SIZE);
	else if (key_is_zero(key))
		read_error(reader, value, "is not a WireGuard key: it is all zero");
}
