// SPDX-License-Identifier: GPL-2.0-only
/* Points in time, RFC 3339. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "config/read.h"

#define TIME_LENGTH    (sizeof("2027-05-14T00:00:00") - 1)
#define YEAR_MIN       1970
#define YEAR_MAX       9999
#define MINUTE_SECONDS 60
#define HOUR_SECONDS   3600
#define DAY_SECONDS    86400

struct moment {
	int64_t year, month, day, hour, minute, second;
	int64_t offset_seconds; /* east of Greenwich */
};

/* Exactly two digits (four for a year), then `end`; *text moves behind them. */
static bool take_number(const char **text, size_t length, char end, int64_t min, int64_t max,
			int64_t *out)
{
	int64_t number = 0;
	size_t i;

	for (i = 0; i < length; i++) {
		if ((*text)[i] < '0' || (*text)[i] > '9')
			return false;
		number = number * 10 + (*text)[i] - '0';
	}
	if (number < min || number > max || (end && (*text)[length] != end))
		return false;

	*text += length + (end != '\0');
	*out = number;
	return true;
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

static bool take_date(const char **text, char end, struct moment *moment)
{
	return take_number(text, 4, '-', YEAR_MIN, YEAR_MAX, &moment->year) &&
	       take_number(text, 2, '-', 1, 12, &moment->month) &&
	       take_number(text, 2, end, 1, month_days(moment->year, moment->month), &moment->day);
}

/* A leap second (:60) counts as the first second of the next minute. */
static bool take_clock(const char **text, struct moment *moment)
{
	size_t fraction;

	if (!take_number(text, 2, ':', 0, 23, &moment->hour) ||
	    !take_number(text, 2, ':', 0, 59, &moment->minute) ||
	    !take_number(text, 2, '\0', 0, 60, &moment->second))
		return false;
	if (**text != '.')
		return true;

	fraction = strspn(*text + 1, "0123456789"); /* of a second, which nobody waits for */
	*text += 1 + fraction;
	return fraction > 0;
}

static bool take_offset(const char **text, struct moment *moment)
{
	int64_t sign = **text == '-' ? -1 : 1;
	int64_t hours, minutes;

	if (**text == 'Z' || **text == 'z') {
		(*text)++;
		return true;
	}
	if (**text != '+' && **text != '-')
		return false;

	(*text)++;
	if (!take_number(text, 2, ':', 0, 23, &hours) ||
	    !take_number(text, 2, '\0', 0, 59, &minutes))
		return false;
	moment->offset_seconds = sign * (hours * HOUR_SECONDS + minutes * MINUTE_SECONDS);
	return true;
}

static int64_t seconds_of(const struct moment *moment)
{
	int64_t years = moment->year - 1; /* whole years since the year 1 */
	int64_t days = years * 365 + years / 4 - years / 100 + years / 400;
	int64_t month;

	for (month = 1; month < moment->month; month++)
		days += month_days(moment->year, month);
	days += moment->day - 1;
	days -= 719162; /* of 1970-01-01 */

	return days * DAY_SECONDS + moment->hour * HOUR_SECONDS + moment->minute * MINUTE_SECONDS +
	       moment->second - moment->offset_seconds;
}

/* A time that lacks its zone, or a day that lacks its time, with what is missing; or NULL. */
static const char *time_meant(char *buf, size_t size, const char *text)
{
	struct moment moment = { 0 };
	const char *rest = text;

	if (!take_date(&rest, '\0', &moment))
		return NULL;
	if (!*rest) {
		snprintf(buf, size, "%sT00:00:00Z", text);
		return buf;
	}
	if (*rest != 'T' && *rest != 't' && *rest != ' ')
		return NULL;
	rest++;
	if (!take_clock(&rest, &moment) || (*rest && !take_offset(&rest, &moment)) || *rest ||
	    strlen(text) >= size - sizeof("Z"))
		return NULL;
	snprintf(buf, size, "%.10sT%s%s", text, text + 11, strlen(text) == TIME_LENGTH ? "Z" : "");
	return buf;
}

READ_FUNCTION(read_time)
{
	const char *text = read_nonempty(reader, value);
	struct moment moment = { 0 };
	const char *rest = text;
	const char *meant;
	int64_t seconds;
	char buf[64];

	(void)field;
	if (!text)
		return;
	if (!take_date(&rest, '\0', &moment) || (*rest != 'T' && *rest != 't') || !rest++ ||
	    !take_clock(&rest, &moment) || !take_offset(&rest, &moment) || *rest) {
		meant = time_meant(buf, sizeof(buf), text);
		read_error_meant(reader, value, meant, "%s is not a time%s", QUOTE(text),
				 meant ? "" : ", such as 2027-05-14T00:00:00Z");
		return;
	}

	/* zero says "never"; whoever writes the first second of 1970 means "long ago" */
	seconds = seconds_of(&moment);
	*(int64_t *)out = seconds > 0 ? seconds : 1;
}
