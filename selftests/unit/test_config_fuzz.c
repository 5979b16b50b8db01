// SPDX-License-Identifier: GPL-2.0-only
/* The reader over thousands of damaged policies, the same ones in every run; ASan looks on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "test.h"

#define ROUNDS 3000

static uint32_t next_random(uint32_t *state)
{
	/* xorshift32 */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static char *read_policy(size_t *length)
{
	const char *golden = getenv("GOLDEN_DIR");
	AUTO_FREE char *path =
		mem_format("%s/config/valid_everything.json", golden ? golden : "selftests/golden");
	char *text = NULL;
	struct err err;

	if (!CHECK(path))
		return NULL;
	test_check(!file_read(path, 1 << 20, &text, length, &err), __FILE__, __LINE__, "%s",
		   err.text);
	return text;
}

/* Valid with a config and no problem, or not valid with a problem and no config. */
static bool is_sound(const char *text, size_t length)
{
	struct problems problems = { 0 };
	struct config *config = NULL;
	int r = config_read(text, length, &config, &problems);
	bool sound = r ? r == -EINVAL && problems.count && !config : !problems.count && config;

	problems_free(&problems);
	config_free(config);
	return sound;
}

TEST(survives_every_truncation)
{
	size_t length = 0;
	AUTO_FREE char *text = read_policy(&length);
	size_t at;

	REQUIRE(text);
	for (at = 0; at < length; at++) {
		/* of its own, so that a read behind the end is seen */
		AUTO_FREE char *cut = malloc(at + 1);

		REQUIRE(cut);
		memcpy(cut, text, at);
		if (!test_check(is_sound(cut, at), __FILE__, __LINE__, "cut at %zu", at))
			return;
	}
}

static void damage(char *text, size_t length, uint32_t *state)
{
	static const char interesting[] = "\"{}[]:,/*\\0123456789-.e+ \n\tu\x80\xff";
	uint32_t count = 1 + next_random(state) % 8;

	while (count--) {
		size_t at = next_random(state) % length;
		uint32_t how = next_random(state) % 3;

		if (how == 0)
			text[at] ^= (char)(1 << next_random(state) % 8);
		else if (how == 1)
			text[at] = interesting[next_random(state) % (sizeof(interesting) - 1)];
		else
			text[at] = text[next_random(state) % length];
	}
}

TEST(survives_flipped_bytes)
{
	size_t length = 0;
	AUTO_FREE char *text = read_policy(&length);
	AUTO_FREE char *damaged = NULL;
	uint32_t state = 20240601;
	uint32_t round;

	REQUIRE(text);
	damaged = malloc(length);
	REQUIRE(damaged);
	for (round = 0; round < ROUNDS; round++) {
		memcpy(damaged, text, length);
		damage(damaged, length, &state);
		if (!test_check(is_sound(damaged, length), __FILE__, __LINE__, "round %u", round))
			return;
	}
}

/* Whole tokens from elsewhere in the file: the syntax stays good, the meaning does not. */
TEST(survives_swapped_strings)
{
	size_t length = 0;
	AUTO_FREE char *text = read_policy(&length);
	AUTO_FREE char *swapped = NULL;
	uint32_t state = 19;
	uint32_t round;

	REQUIRE(text);
	swapped = malloc(2 * length);
	REQUIRE(swapped);
	for (round = 0; round < ROUNDS; round++) {
		const char *from = strchr(text + next_random(&state) % (length / 2), '"');
		const char *to = strchr(text + next_random(&state) % (length / 2), '"');
		const char *from_end, *to_end;
		size_t head, middle, tail;

		REQUIRE(from && to);
		from_end = strchr(from + 1, '"');
		to_end = strchr(to + 1, '"');
		REQUIRE(from_end && to_end);
		head = (size_t)(to - text);
		middle = (size_t)(from_end - from);
		tail = length - (size_t)(to_end - text);
		REQUIRE(head + middle + tail <= 2 * length);
		memcpy(swapped, text, head);
		memcpy(swapped + head, from, middle);
		memcpy(swapped + head + middle, to_end, tail);
		if (!test_check(is_sound(swapped, head + middle + tail), __FILE__, __LINE__,
				"round %u", round))
			return;
	}
}
