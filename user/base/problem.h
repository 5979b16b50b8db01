/* SPDX-License-Identifier: GPL-2.0-only */
/* What is wrong with an input, each thing with its place, all of them in one run. */
#ifndef TP_BASE_PROBLEM_H
#define TP_BASE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"

/* An error or warning with its place. Owned strings. */
struct problem {
	char *place;   /* "$.tunel" */
	char *message; /* "unknown key \"tunel\"; did you mean \"tunnel\"?" */
};

struct problems {
	ARRAY_OF(struct problem);
};

void problems_free(struct problems *problems);
/* The same texts in the same order. */
bool problems_is_equal(const struct problems *a, const struct problems *b);
/* Appends; 0 or -ENOMEM. */
int problems_add(struct problems *problems, const char *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The candidate nearest to `word` by edit distance when near enough to suggest, else NULL. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
