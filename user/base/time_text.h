/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_BASE_TIME_TEXT_H
#define TP_BASE_TIME_TEXT_H

#include <stdint.h>

#define TIME_TEXT_SIZE 32

/* RFC 3339 in UTC; "" for 0. buf of TIME_TEXT_SIZE. */
const char *time_put(char *buf, int64_t seconds);

#endif
