// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_SIZE 1024 /* longer than any struct err */

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static enum log_level least_level = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_TEXT;

void log_setup(enum log_level level, enum log_format format)
{
	least_level = level;
	line_format = format;
}

bool log_shows(enum log_level level)
{
	return level <= least_level;
}

/* A line is one line: what a peer or a file chose to be called must not move the cursor. */
static void hide_control_bytes(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* Bytes of the well-formed UTF-8 sequence that text begins with, 0 if there is none. */
static size_t utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	size_t i;

	if (s[0] > 0xf4)
		return 0;
	for (i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates and what lies above U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void put_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text) {
		size_t length = utf8_length(text);

		if (!length)
			fputs("\\ufffd", out);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
	fputc('"', out);
}

/* RFC 3339, UTC, milliseconds */
static void put_json_line(FILE *out, enum log_level level, const char *text)
{
	struct timespec now;
	char date[32];
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(out, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"text\":", date,
		now.tv_nsec / 1000000, level_names[level]);
	put_json_string(out, text);
	fputs("}\n", out);
}

/* An error is the command's one line, "towpath: what it was doing: why", without its level. */
static void put_text_line(FILE *out, enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_ERROR)
		fprintf(out, "towpath: %s\n", text);
	else
		fprintf(out, "towpath: %s: %s\n", level_names[level], text);
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LINE_SIZE];
	va_list args;

	if (!log_shows(level))
		return;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	hide_control_bytes(text);

	flockfile(stderr);
	if (line_format == LOG_JSON)
		put_json_line(stderr, level, text);
	else
		put_text_line(stderr, level, text);
	funlockfile(stderr);
}
