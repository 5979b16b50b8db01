// SPDX-License-Identifier: GPL-2.0-only
#include "model/expiry.h"

#include <inttypes.h>
#include <stdio.h>

enum expiry expiry_judge(int64_t expires_at, int64_t now)
{
	if (!expires_at || expires_at - now > EXPIRY_DAYS * EXPIRY_DAY)
		return EXPIRY_FAR;
	return expires_at > now ? EXPIRY_NEAR : EXPIRY_PAST;
}

const char *expiry_put(char *buf, int64_t expires_at, int64_t now)
{
	enum expiry judged = expiry_judge(expires_at, now);
	int64_t days = (expires_at - now + EXPIRY_DAY - 1) / EXPIRY_DAY;
	char when[TIME_TEXT_SIZE];

	buf[0] = '\0';
	time_put(when, expires_at);
	if (judged == EXPIRY_PAST)
		snprintf(buf, EXPIRY_TEXT_SIZE, "expired on %s", when);
	else if (judged == EXPIRY_NEAR)
		snprintf(buf, EXPIRY_TEXT_SIZE, "expires on %s, within %" PRId64 " day%s", when,
			 days, days == 1 ? "" : "s");
	return buf;
}

/* Whole days before the end, the first of them EXPIRY_DAYS before it. */
int64_t expiry_next(int64_t expires_at, int64_t now)
{
	int64_t days;

	if (!expires_at || expires_at <= now)
		return INT64_MAX;
	days = (expires_at - now - 1) / EXPIRY_DAY;
	return expires_at - (days < EXPIRY_DAYS ? days : EXPIRY_DAYS) * EXPIRY_DAY;
}
