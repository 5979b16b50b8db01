// SPDX-License-Identifier: GPL-2.0-only
/* Keys in the life of `run`: the days on which peers' expire, and the file with the node's own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/run.h"

/* ---- the calendar ---- */

/* As after a start, each of them is news when one of them is: they are few. */
static void say(const struct pipeline *p, const struct problems *expiring)
{
	const struct problem *problem;

	array_for_each(problem, expiring)
		log_warn("run: %s: %s: %s", p->file, problem->place, problem->message);
}

static void note_expiry(struct run *run, const struct pipeline *p, bool said)
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

/* ---- the node's own ---- */

static void key_changed(void *data)
{
	log_debug("the file with the private key changed");
	run_reload(data);
}

static void forget_key(struct run *run)
{
	watch_close(&run->key_watch);
	free(TAKE(run->key_file));
}

/*
 * A key that is changed before the policy names it is rejected, and so is a policy before there is
 * its key: whichever comes second sets it right.
 */
void run_watch_key(struct run *run, const char *path)
{
	AUTO_FREE char *file = run_absolute(path);
	struct err err;

	if (file && run->key_file && !strcmp(run->key_file, file))
		return;
	forget_key(run);
	run->key_file = TAKE(file);
	if (!run->key_file)
		err_sys(&err, -errno, "watch %s", path);
	else if (!watch_open(&run->key_watch, &run->loop, run->key_file, key_changed, run, &err))
		return;
	log_warn("run: %s: after a change of that key, send SIGHUP", err.text);
	forget_key(run);
}

void run_mind_keys(struct run *run, const struct pipeline *p, bool said)
{
	note_expiry(run, p, said);
	loop_timer_arm_at(&run->expiry, policy_next_date(p->policy, p->facts.now));
	run_watch_key(run, p->self->node->tunnel.private_key_file);
}

void run_forget_keys(struct run *run)
{
	problems_free(&run->expiring);
	forget_key(run);
}
