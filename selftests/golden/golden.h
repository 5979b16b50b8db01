/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cases that are files below selftests/golden (GOLDEN_DIR in the environment: elsewhere). UPDATE=1
 * writes what is compared anew; the difference is then for a person to judge.
 */
#ifndef SELFTESTS_GOLDEN_H
#define SELFTESTS_GOLDEN_H

#include <stddef.h>

/* The file's text, the caller's, and its length unless that is NULL. NULL: a failed check. */
char *golden_read(size_t *length, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Checks `got` against the file. */
void golden_compare(const char *got, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A case for each entry of the folder that ends in suffix; `run` gets its name without that. A
 * folder without any is a case that fails.
 */
void golden_register(const char *source, const char *folder, const char *suffix,
		     void (*run)(const void *name));

#endif
