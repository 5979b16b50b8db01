// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/problem.h"

/* nobody mistypes a longer word into another one; keeps hostile words cheap */
#define WORD_MAX         63
#define ABBREVIATION_MIN 3

void problems_free(struct problems *problems)
{
	struct problem *problem;

	array_for_each(problem, problems) {
		free(problem->place);
		free(problem->message);
	}
	array_clear(problems);
}

bool problems_is_equal(const struct problems *a, const struct problems *b)
{
	size_t i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
		if (strcmp(a->items[i].place, b->items[i].place) != 0 ||
		    strcmp(a->items[i].message, b->items[i].message) != 0)
			return false;
	return true;
}

int problems_add(struct problems *problems, const char *place, const char *format, ...)
{
	AUTO_FREE char *message = NULL;
	AUTO_FREE char *copy = mem_copy_string(place);
	struct problem *problem;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&message, format, args);
	va_end(args);
	if (r < 0)
		message = NULL; /* undefined after a failure */
	if (!message || !copy)
		return -ENOMEM;

	problem = array_add(problems);
	if (!problem)
		return -ENOMEM;
	problem->place = TAKE(copy);
	problem->message = TAKE(message);
	return 0;
}

static size_t smallest(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Damerau-Levenshtein in the optimal-string-alignment form: insertions, deletions,
 * replacements and swaps of neighbours, each costs one.
 */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	size_t i, j;

	for (j = 0; j <= b_length; j++)
		last[j] = j;

	for (i = 1; i <= a_length; i++) {
		size_t *reused = before;

		now[0] = i;
		for (j = 1; j <= b_length; j++) {
			size_t cost = a[i - 1] != b[j - 1];

			now[j] = smallest(last[j] + 1, now[j - 1] + 1);
			now[j] = smallest(now[j], last[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = smallest(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = reused;
	}

	return last[b_length];
}

/* A third of the word may be wrong, but never all of it. */
static size_t tolerance(size_t length)
{
	return length < 2 ? 0 : length < 6 ? 1 : length / 3;
}

/* The one candidate that word abbreviates, or NULL. */
static const char *abbreviated(const char *word, size_t length, const char *const *candidates,
			       size_t count)
{
	const char *found = NULL;
	size_t i;

	if (length < ABBREVIATION_MIN)
		return NULL;
	for (i = 0; i < count; i++) {
		if (strncmp(word, candidates[i], length) != 0)
			continue;
		if (found)
			return NULL;
		found = candidates[i];
	}
	return found;
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
	size_t word_length = strnlen(word, WORD_MAX + 1);
	size_t best = SIZE_MAX;
	const char *nearest = NULL;
	size_t i;

	if (word_length > WORD_MAX)
		return NULL;

	for (i = 0; i < count; i++) {
		size_t length = strnlen(candidates[i], WORD_MAX + 1);
		size_t d;

		if (length > WORD_MAX)
			continue;
		d = distance(word, word_length, candidates[i], length);
		if (d < best && d <= tolerance(word_length)) {
			best = d;
			nearest = candidates[i];
		}
	}

	return nearest ? nearest : abbreviated(word, word_length, candidates, count);
}
