// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define TAIL_SIZE 64 /* kept free for the last line */

static const char *const waits[RUNNING_WAITS] = {
	[RUNNING_WAIT_KEY] = "waiting",
	[RUNNING_WAIT_LISTED] = "idle",
	[RUNNING_WAIT_NETWORK] = "lacking",
};

/* ---- putting ---- */

struct text {
	char *buf;
	size_t used, room;
};

/* Blanks for what would begin a new line or field. */
static void put_word(struct text *text, const char *word)
{
	for (; *word; word++)
		text->buf[text->used++] = (unsigned char)*word < ' ' ? ' ' : *word;
}

static void put_number(struct text *text, const char *key, uint64_t value)
{
	text->used += (size_t)snprintf(text->buf + text->used, text->room - text->used,
				       "%s %" PRIu64 "\n", key, value);
}

/* False when it does not fit, and nothing is put. message: NULL for none. */
static bool put_texts(struct text *text, const char *key, const char *place, const char *message)
{
	size_t need = strlen(key) + strlen(place) + (message ? strlen(message) : 0) + 3;

	if (text->used + need + TAIL_SIZE > text->room)
		return false;
	put_word(text, key);
	text->buf[text->used++] = ' ';
	put_word(text, place);
	if (message) {
		text->buf[text->used++] = '\t';
		put_word(text, message);
	}
	text->buf[text->used++] = '\n';
	return true;
}

size_t answer_put(char *buf, const struct running *running)
{
	struct text text = { .buf = buf, .room = ANSWER_SIZE };
	uint64_t left_out = running->errors_left_out;
	const struct problem *error;

	put_number(&text, "pid", running->pid);
	put_number(&text, "since", (uint64_t)running->since);
	put_texts(&text, "file", running->file, NULL); /* a path always fits */
	if (running->failure)
		put_texts(&text, "failure", running->failure, NULL); /* nor is this long */
	if (running->waiting)
		put_texts(&text, waits[running->wait], running->waiting, NULL);
	put_number(&text, "rejected_at", (uint64_t)running->rejected_at);
	array_for_each(error, &running->errors)
		if (!put_texts(&text, "error", error->place, error->message))
			left_out++;
	/* one is enough to know that something is wrong, and what; the log has all */
	array_for_each(error, &running->unresolved)
		if (!put_texts(&text, "unresolved", error->place, error->message))
			break;
	put_number(&text, "left_out", left_out);
	return text.used;
}

/* ---- reading ---- */

static int read_number(const char *value, uint64_t *out)
{
	return num_read(value, 0, INT64_MAX, out) ? -EPROTO : 0;
}

static int read_time(const char *value, int64_t *out)
{
	uint64_t number;

	if (read_number(value, &number))
		return -EPROTO;
	*out = (int64_t)number;
	return 0;
}

static int read_pid(const char *value, uint32_t *out)
{
	uint64_t number;

	if (num_read(value, 1, INT32_MAX, &number))
		return -EPROTO;
	*out = (uint32_t)number;
	return 0;
}

static int read_problem(char *value, struct problems *out)
{
	char *tab = strchr(value, '\t');

	if (!tab || out->count == RUNNING_ERRORS_MAX)
		return -EPROTO;
	*tab = '\0';
	return problems_add(out, value, "%s", tab + 1);
}

static int read_text(const char *value, char **out)
{
	if (*out)
		return -EPROTO;
	*out = mem_copy_string(value);
	return *out ? 0 : -ENOMEM;
}

static int read_line(char *line, struct running *out)
{
	char *value = strchr(line, ' ');
	enum running_wait i;

	if (!value)
		return -EPROTO;
	*value++ = '\0';
	if (!strcmp(line, "pid"))
		return read_pid(value, &out->pid);
	if (!strcmp(line, "since"))
		return read_time(value, &out->since);
	if (!strcmp(line, "file"))
		return read_text(value, &out->file);
	for (i = 0; i < RUNNING_WAITS; i++)
		if (!strcmp(line, waits[i])) {
			out->wait = i;
			return read_text(value, &out->waiting);
		}
	if (!strcmp(line, "failure"))
		return read_text(value, &out->failure);
	if (!strcmp(line, "rejected_at"))
		return read_time(value, &out->rejected_at);
	if (!strcmp(line, "error"))
		return read_problem(value, &out->errors);
	if (!strcmp(line, "unresolved"))
		return read_problem(value, &out->unresolved);
	if (!strcmp(line, "left_out"))
		return read_number(value, &out->errors_left_out);
	return 0; /* a newer daemon's */
}

static bool is_whole(const struct running *running)
{
	return running->pid && running->file && !running->rejected_at == !running->errors.count;
}

int answer_read(const char *text, size_t length, struct running *out)
{
	AUTO_FREE char *copy = mem_alloc(length + 1, 1);
	struct running read = { 0 };
	char *rest = copy, *line;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, length);
	/* what lies behind the last line break is empty, or a line that was cut */
	while (!r && (line = strsep(&rest, "\n")) && rest)
		r = read_line(line, &read);
	if (!r && !is_whole(&read))
		r = -EPROTO;
	if (r)
		running_free(&read);
	else
		*out = read;
	return r;
}
