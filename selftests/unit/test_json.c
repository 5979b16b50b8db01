// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/json.h"
#include "test.h"

static struct json *read_text(const char *text)
{
	struct json *root = NULL;
	struct json_error error;
	int r = json_read(text, strlen(text), &root, &error);

	test_check(!r, __FILE__, __LINE__, "%s: line %zu column %zu: %s", text, error.line,
		   error.column, error.text);
	return root;
}

TEST(reads_every_type)
{
	struct json *root = read_text("{\"a\": null, \"b\": true, \"c\": -1.5e1, \"d\": \"x\", "
				      "\"e\": [1, 2], \"f\": {}}");

	REQUIRE(root);
	CHECK_INT(json_type(root), JSON_OBJECT);
	CHECK_INT(json_type(json_find(root, "a")), JSON_NULL);
	CHECK_INT(json_bool(json_find(root, "b")), true);
	CHECK(json_number(json_find(root, "c")) == -15);
	CHECK_TEXT(json_string(json_find(root, "d")), "x");
	CHECK_INT(json_type(json_find(root, "e")), JSON_LIST);
	CHECK(json_number(json_next(json_first(json_find(root, "e")))) == 2);
	CHECK(!json_key(json_first(json_find(root, "e"))));
	CHECK_INT(json_type(json_find(root, "f")), JSON_OBJECT);
	CHECK(!json_first(json_find(root, "f")));
	CHECK(!json_find(root, "A")); /* cJSON's other lookup ignores case */
	json_free(root);
}

TEST(keeps_repeated_keys_in_file_order)
{
	struct json *root = read_text("{\"b\": 1, \"a\": 2, \"b\": 3}");
	const struct json *item;

	REQUIRE(root);
	item = json_first(root);
	CHECK_TEXT(json_key(item), "b");
	item = json_next(item);
	CHECK_TEXT(json_key(item), "a");
	item = json_next(item);
	CHECK_TEXT(json_key(item), "b");
	CHECK(json_number(item) == 3);
	CHECK(!json_next(item));
	CHECK(json_number(json_find(root, "b")) == 1);
	json_free(root);
}

TEST(leaves_comment_signs_and_commas_in_strings_alone)
{
	struct json *root =
		read_text("/* a */ [\"// no\", \"/* no */\", \",]\", \"\\\"// \", // z\n"
			  "\"b\" /**/ , /* c\n */ ] // end");
	const struct json *item;

	REQUIRE(root);
	item = json_first(root);
	CHECK_TEXT(json_string(item), "// no");
	item = json_next(item);
	CHECK_TEXT(json_string(item), "/* no */");
	item = json_next(item);
	CHECK_TEXT(json_string(item), ",]");
	item = json_next(item);
	CHECK_TEXT(json_string(item), "\"// ");
	item = json_next(item);
	CHECK_TEXT(json_string(item), "b");
	CHECK(!json_next(item));
	json_free(root);
}

TEST(decodes_escapes_and_surrogate_pairs)
{
	struct json *root = read_text("\"\\u00e4\\ud83d\\ude00\\n\\/\\\"\\\\ \xc3\xa4\"");

	REQUIRE(root);
	CHECK_TEXT(json_string(root), "\xc3\xa4\xf0\x9f\x98\x80\n/\"\\ \xc3\xa4");
	json_free(root);
}

struct refusal {
	const char *text;
	size_t line, column;
	const char *message;
};

#define DEPTH_8 "[[[[[[[["

static const struct refusal refusals[] = {
	{ "", 1, 1, "expected a value, found the end of the file" },
	{ "\n\n  ", 3, 3, "expected a value, found the end of the file" },
	{ "[1 2]", 1, 4, "expected ',' or ']', found a word without quotes" },
	{ "[1,,2]", 1, 4, "expected a value, found ','" },
	{ "{,}", 1, 2, "expected a key in double quotes, found ','" },
	{ "{\"a\" 1}", 1, 6, "expected ':', found a word without quotes" },
	{ "{\"a\": 1]", 1, 8, "expected ',' or '}', found ']'" },
	{ "[1]\n]", 2, 1, "expected the end of the file, found ']'" },
	{ "[tru]", 1, 2, "expected a value, found a word without quotes" },
	{ "[truex]", 1, 2, "expected a value, found a word without quotes" },
	{ "[True]", 1, 2, "expected a value, found a word without quotes" },
	{ "[.5]", 1, 2, "expected a value, found '.'" },
	{ "[+5]", 1, 2, "expected a value, found '+'" },
	{ "[-]", 1, 2, "a number without digits" },
	{ "[-01]", 1, 2, "a number begins with 0" },
	{ "[1.]", 1, 2, "a number that ends with its point" },
	{ "[1e+]", 1, 2, "a number without the digits of its exponent" },
	{ "[0x10]", 1, 3, "expected ',' or ']', found a word without quotes" },
	{ "[NaN]", 1, 2, "expected a value, found a word without quotes" },
	{ "[123456789012345678901234567890123]", 1, 2, "a number of more than 32 characters" },
	{ "[\"a\tb\"]", 1, 4, "a control character in a string" },
	{ "[\"a\nb\"]", 1, 2, "this string is not closed on its line" },
	{ "[\"a", 1, 2, "this string is not closed on its line" },
	{ "[\"a\\", 1, 4, "unknown escape; a backslash is written \\\\" },
	{ "[\"\\x41\"]", 1, 3, "unknown escape; a backslash is written \\\\" },
	{ "[\"\\u12g4\"]", 1, 3, "\\u takes four hexadecimal digits" },
	{ "[\"\\u\"]", 1, 3, "\\u takes four hexadecimal digits" },
	{ "[\"\\u0000\"]", 1, 3, "\\u0000 is not allowed in a string" },
	{ "[\"\\ude00\"]", 1, 3, "half of a surrogate pair" },
	{ "[\"\\ud83d\\u0041\"]", 1, 3, "half of a surrogate pair" },
	{ "[1] /", 1, 5, "unexpected '/'; a comment begins with // or /*" },
	{ "[1] /* *", 1, 5, "this comment is not closed" },
	{ "/*/", 1, 1, "this comment is not closed" },
	{ "\xef\xbb\xbf[]", 1, 1, "a byte order mark; save the file without it" },
	{ "[\"\xc3\"]", 1, 3, "not valid UTF-8" },
	{ "// \xff\n[]", 1, 4, "not valid UTF-8" },
	{ "[\"\xc0\xaf\"]", 1, 3, "not valid UTF-8" },
	{ "[\"\xed\xa0\x80\"]", 1, 3, "not valid UTF-8" },
	{ "[\"\xf4\x90\x80\x80\"]", 1, 3, "not valid UTF-8" },
	{ "[\"\xe0\x80\x80\"]", 1, 3, "not valid UTF-8" },
	{ "[\"\xf0\x9f\x98\"]", 1, 3, "not valid UTF-8" },
	{ "[\"\xc3\xa4\xc3\xb6\", x]", 1, 8, "expected a value, found a word without quotes" },
	{ DEPTH_8 DEPTH_8 DEPTH_8 DEPTH_8 "[", 1, 33, "nested deeper than 32 levels" },
};

TEST(names_line_and_column_of_what_it_refuses)
{
	struct json *const untouched = (struct json *)&refusals;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *want = &refusals[i];
		struct json *root = untouched;
		struct json_error got;

		CHECK_INT(json_read(want->text, strlen(want->text), &root, &got), -EINVAL);
		CHECK(root == untouched);
		test_check(got.line == want->line && got.column == want->column, __FILE__, __LINE__,
			   "%s: line %zu column %zu, not line %zu column %zu", want->text, got.line,
			   got.column, want->line, want->column);
		test_check_text(got.text, want->message, __FILE__, __LINE__, want->text);
	}
}

TEST(refuses_nul_bytes)
{
	static const char text[] = "[1]\n\0[2]";
	struct json *root = NULL;
	struct json_error error;

	CHECK_INT(json_read(text, sizeof(text) - 1, &root, &error), -EINVAL);
	CHECK_INT(error.line, 2);
	CHECK_INT(error.column, 1);
	CHECK_TEXT(error.text, "a NUL byte");
}

TEST(reads_no_byte_behind_length)
{
	AUTO_FREE char *exact = malloc(3); /* where ASan would see it */
	struct json *root = NULL;
	struct json_error error;

	REQUIRE(exact);
	memcpy(exact, "[1]", 3);
	CHECK_INT(json_read(exact, 3, &root, &error), 0);
	json_free(root);
}

TEST(takes_32_levels)
{
	char text[65];
	struct json *root;

	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	text[64] = '\0';
	root = read_text(text);
	CHECK(root);
	json_free(root);
}

TEST(refuses_a_file_beyond_16_mib)
{
	AUTO_FREE char *text = malloc(JSON_SIZE_MAX + 1);
	struct json *root = NULL;
	struct json_error error;

	REQUIRE(text);
	memset(text, ' ', JSON_SIZE_MAX + 1);
	text[0] = '1';

	CHECK_INT(json_read(text, JSON_SIZE_MAX, &root, &error), 0);
	json_free(root);
	CHECK_INT(json_read(text, JSON_SIZE_MAX + 1, &root, &error), -EINVAL);
	CHECK_INT(error.line, 0);
	CHECK_TEXT(error.text, "the file has 16777217 bytes; the limit is 16 MiB");
}

TEST(refuses_more_values_than_memory_should_pay_for)
{
	size_t length = 2 * (JSON_VALUES_MAX + 1);
	AUTO_FREE char *text = malloc(length);
	struct json *root = NULL;
	struct json_error error;
	size_t i;

	REQUIRE(text);
	text[0] = '[';
	for (i = 1; i < length - 1; i++)
		text[i] = i % 2 ? '0' : ',';
	text[length - 1] = ']';

	CHECK_INT(json_read(text, length, &root, &error), -EINVAL);
	CHECK_TEXT(error.text, "more than 1000000 values");
}
