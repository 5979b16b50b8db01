/* SPDX-License-Identifier: GPL-2.0-only */
/* What is held of a server, until enough answers in a row say otherwise. Pure. */
#ifndef TP_DAEMON_VERDICT_H
#define TP_DAEMON_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
	bool healthy;
	uint32_t contrary; /* answers in a row that say otherwise */
};

/*
 * One more answer. True: it is the fail-th or rise-th or a later one in a row that says otherwise;
 * *verdict stays what it is until verdict_set.
 */
bool verdict_hear(struct verdict *verdict, bool lives, uint32_t fail, uint32_t rise);
/* One that is held already is not disturbed. */
void verdict_set(struct verdict *verdict, bool healthy);

#endif
