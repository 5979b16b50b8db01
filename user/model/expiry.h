/* SPDX-License-Identifier: GPL-2.0-only */
/* The last days of a key. Times are seconds since the epoch; an expiry of 0 is never. */
#ifndef TP_MODEL_EXPIRY_H
#define TP_MODEL_EXPIRY_H

#include <stdint.h>

#include "base/time_text.h"

#define EXPIRY_DAY       86400
#define EXPIRY_DAYS      14 /* that people are told of it beforehand */
#define EXPIRY_TEXT_SIZE 96

enum expiry { EXPIRY_FAR, EXPIRY_NEAR, EXPIRY_PAST };

enum expiry expiry_judge(int64_t expires_at, int64_t now);

/* "expires on …, within 3 days", "expired on …"; "" when far. buf of EXPIRY_TEXT_SIZE. */
const char *expiry_put(char *buf, int64_t expires_at, int64_t now);

/* When expiry_put will say something else; INT64_MAX: never. */
int64_t expiry_next(int64_t expires_at, int64_t now);

#endif
