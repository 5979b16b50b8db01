// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/verdict.h"

bool verdict_hear(struct verdict *verdict, bool lives, uint32_t fail, uint32_t rise)
{
	const uint32_t enough = lives ? rise : fail;

	if (lives == verdict->healthy) {
		verdict->contrary = 0;
		return false;
	}
	if (verdict->contrary < enough)
		verdict->contrary++;
	return verdict->contrary >= enough;
}

void verdict_set(struct verdict *verdict, bool healthy)
{
	if (verdict->healthy != healthy)
		*verdict = (struct verdict){ .healthy = healthy };
}

bool verdict_is_waning(const struct verdict *verdict)
{
	return verdict->healthy && verdict->contrary;
}

uint32_t verdict_pace_ms(uint32_t interval_ms, uint32_t fail)
{
	const uint32_t spare_ms = interval_ms / 8, longest_ms = interval_ms - spare_ms;
	uint64_t pace_ms;

	if (fail < 2)
		return longest_ms;
	/* the first question comes an interval after the last answer */
	pace_ms = ((uint64_t)interval_ms * (fail - 1) - spare_ms) / fail;
	return pace_ms < longest_ms ? (uint32_t)pace_ms : longest_ms;
}
