// SPDX-License-Identifier: GPL-2.0-only
/* The calendar of `run`: keys that expire, and the days before. */
#include "base/log.h"
#include "cmd/run.h"

/* As after a start, each of them is news when one of them is: they are few. */
static void say(const struct pipeline *p, const struct problems *expiring)
{
	const struct problem *problem;

	array_for_each(problem, expiring)
		log_warn("run: %s: %s: %s", p->file, problem->place, problem->message);
}

void run_note_expiry(struct run *run, const struct pipeline *p, bool said)
{
	struct problems expiring = { 0 };

	/* without memory for it nothing is said today; `status` says it all the same */
	if (policy_key_warnings(p->policy, p->facts.now, &expiring)) {
		problems_free(&expiring);
		return;
	}
	if (!said && !problems_is_equal(&expiring, &run->expiring))
		say(p, &expiring);
	problems_free(&run->expiring);
	run->expiring = expiring;
}

void run_arm_expiry(struct run *run, const struct pipeline *p)
{
	loop_timer_arm_at(&run->expiry, policy_next_date(p->policy, p->facts.now));
	run->retry_s = 0;
}
