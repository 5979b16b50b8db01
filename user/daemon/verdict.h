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

/* Whether answers have begun to say that it lives no more: it is asked sooner. */
bool verdict_is_waning(const struct verdict *verdict);
/*
 * How long an answer is waited for, and after one that was missed the next question: so that of a
 * server that dies just when it has answered all `fail` answers are missed, in a row, before as
 * many intervals are over, with an eighth of one to spare. (Of one answer, before two are.)
 */
uint32_t verdict_pace_ms(uint32_t interval_ms, uint32_t fail);

#endif
