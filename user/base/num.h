/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers from text, strictly: decimal digits only, no sign, no blank, no leading zero. */
#ifndef TP_BASE_NUM_H
#define TP_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/* 0, -EINVAL (not a number) or -ERANGE (outside min..max); out untouched on failure. */
int num_read(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* The same for the first length bytes of text. */
int num_read_n(const char *text, size_t length, uint64_t min, uint64_t max, uint64_t *out);

#endif
