// SPDX-License-Identifier: GPL-2.0-only
#include "config/json_scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* cJSON copies a number to a buffer of 64 bytes and reads on in the middle of a longer one */
#define NUMBER_LENGTH_MAX 32
#define BYTE_ORDER_MARK   "\xef\xbb\xbf"
#define NOWHERE           ((size_t)-1)

struct scan {
	char *text;
	size_t length;
	size_t at;
	size_t comma; /* where the last comma stands, while nothing but blanks followed it */
	size_t values;
	unsigned int depth;
	struct json_error *error;
};

static int scan_value(struct scan *scan);

static __attribute__((format(printf, 3, 4))) int fail(struct scan *scan, size_t at,
						      const char *format, ...)
{
	struct json_error *error = scan->error;
	va_list args;
	size_t i;

	error->line = 1;
	error->column = 1;
	for (i = 0; i < at; i++) {
		if (scan->text[i] == '\n') {
			error->line++;
			error->column = 1;
		} else if ((scan->text[i] & 0xc0) != 0x80) {
			error->column++; /* not a continuation byte: a character begins */
		}
	}

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* "expected a value, found '}'" */
static int fail_expected(struct scan *scan, const char *expected)
{
	const char *found = scan->text + scan->at;
	unsigned char first = (unsigned char)*found;

	if (scan->at >= scan->length)
		return fail(scan, scan->at, "expected %s, found the end of the file", expected);
	if (first == '\'')
		return fail(scan, scan->at,
			    "expected %s, found a single quote; strings take double ones",
			    expected);
	if (first == '#')
		return fail(scan, scan->at, "expected %s, found '#'; a comment begins with //",
			    expected);
	if (!isprint(first))
		return fail(scan, scan->at, "expected %s", expected);
	if (!isalnum(first))
		return fail(scan, scan->at, "expected %s, found '%c'", expected, first);
	/* not the word itself: it may be a key that lost its quotes */
	return fail(scan, scan->at, "expected %s, found a word without quotes", expected);
}

/* Length of the UTF-8 sequence (RFC 3629) that begins here, 0 when there is none. */
static size_t utf8_length(const unsigned char *s)
{
	/* the second byte's range shuts out overlong forms, surrogates and > U+10FFFF */
	unsigned char low = 0x80, high = 0xbf;
	size_t length, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

static int check_bytes(struct scan *scan)
{
	size_t at = 0;

	if (!strncmp(scan->text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)))
		return fail(scan, 0, "a byte order mark; save the file without it");

	while (at < scan->length) {
		size_t length = utf8_length((const unsigned char *)scan->text + at);

		if (!length)
			return fail(scan, at, "not valid UTF-8");
		if (!scan->text[at])
			return fail(scan, at, "a NUL byte");
		at += length;
	}

	return 0;
}

static void blank_out(struct scan *scan, size_t from, size_t to)
{
	for (; from < to; from++)
		if (scan->text[from] != '\n')
			scan->text[from] = ' ';
}

/* At a '/'. */
static int skip_comment(struct scan *scan)
{
	const char *begin = scan->text + scan->at;
	const char *end;

	if (begin[1] == '/') {
		end = begin + strcspn(begin, "\n");
	} else if (begin[1] == '*') {
		end = strstr(begin + 2, "*/");
		if (!end)
			return fail(scan, scan->at, "this comment is not closed");
		end += 2;
	} else {
		return fail(scan, scan->at, "unexpected '/'; a comment begins with // or /*");
	}

	blank_out(scan, scan->at, (size_t)(end - scan->text));
	scan->at = (size_t)(end - scan->text);
	return 0;
}

static int skip_blank(struct scan *scan)
{
	for (;;) {
		scan->at += strspn(scan->text + scan->at, " \t\r\n");
		if (scan->text[scan->at] != '/')
			return 0;
		if (skip_comment(scan))
			return -EINVAL;
	}
}

/* The four digits of \uXXXX at text, or -1. */
static int hex_read(const char *text)
{
	unsigned int code;

	if (strspn(text, "0123456789abcdefABCDEF") < 4 || sscanf(text, "%4x", &code) != 1)
		return -1;
	return (int)code;
}

/* At the 'u' of \uXXXX; a pair of surrogates is one character and is passed as one. */
static int scan_unicode(struct scan *scan)
{
	const char *text = scan->text + scan->at;
	int code = hex_read(text + 1);
	int low = -1;

	if (code < 0)
		return fail(scan, scan->at - 1, "\\u takes four hexadecimal digits");
	if (!code)
		return fail(scan, scan->at - 1, "\\u0000 is not allowed in a string");
	scan->at += 5;
	if (code < 0xd800 || code > 0xdfff)
		return 0;

	if (code < 0xdc00 && text[5] == '\\' && text[6] == 'u')
		low = hex_read(text + 7);
	if (low < 0xdc00 || low > 0xdfff)
		return fail(scan, scan->at - 6, "half of a surrogate pair");
	scan->at += 6;
	return 0;
}

static int scan_escape(struct scan *scan)
{
	scan->at++;
	if (scan->text[scan->at] == 'u')
		return scan_unicode(scan);
	if (!scan->text[scan->at] || !strchr("\"\\/bfnrt", scan->text[scan->at]))
		return fail(scan, scan->at - 1, "unknown escape; a backslash is written \\\\");
	scan->at++;
	return 0;
}

static int scan_string(struct scan *scan)
{
	size_t begin = scan->at++;

	for (;;) {
		unsigned char c = (unsigned char)scan->text[scan->at];

		if (c == '"')
			break;
		/* the end of the line is far from the quote that is missing: name the beginning */
		if (!c || c == '\n' || c == '\r')
			return fail(scan, begin, "this string is not closed on its line");
		if (c < ' ')
			return fail(scan, scan->at, "a control character in a string");
		if (c != '\\')
			scan->at++;
		else if (scan_escape(scan))
			return -EINVAL;
	}

	scan->at++;
	return 0;
}

static size_t digits(struct scan *scan)
{
	size_t count = strspn(scan->text + scan->at, "0123456789");

	scan->at += count;
	return count;
}

static int scan_number(struct scan *scan)
{
	size_t begin = scan->at;

	if (scan->text[scan->at] == '-')
		scan->at++;
	if (scan->text[scan->at] == '0' && isdigit((unsigned char)scan->text[scan->at + 1]))
		return fail(scan, begin, "a number begins with 0");
	if (!digits(scan))
		return fail(scan, begin, "a number without digits");
	if (scan->text[scan->at] == '.') {
		scan->at++;
		if (!digits(scan))
			return fail(scan, begin, "a number that ends with its point");
	}
	if (scan->text[scan->at] == 'e' || scan->text[scan->at] == 'E') {
		scan->at++;
		if (scan->text[scan->at] == '+' || scan->text[scan->at] == '-')
			scan->at++;
		if (!digits(scan))
			return fail(scan, begin, "a number without the digits of its exponent");
	}
	if (scan->at - begin > NUMBER_LENGTH_MAX)
		return fail(scan, begin, "a number of more than %d characters", NUMBER_LENGTH_MAX);

	return 0;
}

static int scan_word(struct scan *scan)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *text = scan->text + scan->at;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t length = strlen(words[i]);

		if (!strncmp(text, words[i], length) && !isalnum((unsigned char)text[length])) {
			scan->at += length;
			return 0;
		}
	}

	return fail_expected(scan, "a value");
}

/* Between two members, or behind the last: true when it is closed here. */
static int scan_separator(struct scan *scan, char close, bool *closed)
{
	if (skip_blank(scan))
		return -EINVAL;

	*closed = scan->text[scan->at] == close;
	if (*closed) {
		if (scan->comma != NOWHERE)
			scan->text[scan->comma] = ' ';
		scan->at++;
		return 0;
	}

	if (scan->comma != NOWHERE)
		return 0;
	return fail_expected(scan, close == '}' ? "',' or '}'" : "',' or ']'");
}

static int scan_key(struct scan *scan)
{
	if (scan->text[scan->at] != '"')
		return fail_expected(scan, "a key in double quotes");
	if (scan_string(scan) || skip_blank(scan))
		return -EINVAL;
	if (scan->text[scan->at] != ':')
		return fail_expected(scan, "':'");
	scan->at++;
	return 0;
}

static int scan_members(struct scan *scan, char close)
{
	bool closed;

	scan->at++;
	if (skip_blank(scan))
		return -EINVAL;
	if (scan->text[scan->at] == close) {
		scan->at++;
		return 0;
	}

	do {
		if (close == '}' && scan_key(scan))
			return -EINVAL;
		if (scan_value(scan) || skip_blank(scan))
			return -EINVAL;
		scan->comma = scan->text[scan->at] == ',' ? scan->at++ : NOWHERE;
		if (scan_separator(scan, close, &closed))
			return -EINVAL;
	} while (!closed);

	return 0;
}

static int scan_nested(struct scan *scan, char close)
{
	int r;

	if (scan->depth == JSON_DEPTH_MAX)
		return fail(scan, scan->at, "nested deeper than %d levels", JSON_DEPTH_MAX);

	scan->depth++;
	r = scan_members(scan, close);
	scan->depth--;
	return r;
}

static int scan_value(struct scan *scan)
{
	char c;

	if (skip_blank(scan))
		return -EINVAL;
	if (++scan->values > JSON_VALUES_MAX)
		return fail(scan, scan->at, "more than %d values", JSON_VALUES_MAX);

	c = scan->text[scan->at];
	if (c == '{')
		return scan_nested(scan, '}');
	if (c == '[')
		return scan_nested(scan, ']');
	if (c == '"')
		return scan_string(scan);
	if (c == '-' || isdigit((unsigned char)c))
		return scan_number(scan);
	return scan_word(scan);
}

int json_scan(char *text, size_t length, struct json_error *error)
{
	struct scan scan = {
		.text = text,
		.length = length,
		.comma = NOWHERE,
		.error = error,
	};

	if (check_bytes(&scan) || scan_value(&scan) || skip_blank(&scan))
		return -EINVAL;
	if (scan.at < length)
		return fail_expected(&scan, "the end of the file");
	return 0;
}
