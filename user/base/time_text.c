// SPDX-License-Identifier: GPL-2.0-only
#include "base/time_text.h"

#include <time.h>

const char *time_put(char *buf, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm tm;

	buf[0] = '\0';
	if (seconds && gmtime_r(&when, &tm))
		strftime(buf, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}
