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
