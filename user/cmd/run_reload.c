// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/run.h"
#include "cmd/saved.h"
#include "cmd/session.h"
#include "cmd/steps.h"
#include "secret/key.h"

/* ---- putting a policy in force ---- */

/* Listening comes before anything is done: it can be undone. */
static int apply_read(struct run *run, struct pipeline *p, bool *waits)
{
	struct run_listen listen;
	int status = apply_prepare(p);

	if (status == EXIT_DONE)
		status = refuse_cut(p);
	*waits = status != EXIT_DONE && run_wait(run, p);
	if (status != EXIT_DONE && !*waits)
		return status;
	if (run_listen_begin(run, p, &listen, &p->failure)) {
		*waits = false;
		return EXIT_FAILED;
	}
	if (!*waits)
		status = apply_finish(p);
	run_listen_done(run, &listen, status == EXIT_DONE || *waits);
	return status;
}

/* What of ours is in the kernel; pipeline_end p. */
static int look(const struct run *run, struct pipeline *p)
{
	pipeline_start(p, run->args);
	p->silent = true;
	p->takes_over = true;
	return pipeline_observe(p, false);
}

bool run_is_live(const struct run *run)
{
	struct pipeline p;
	bool live = look(run, &p) != EXIT_DONE || p.have.generation;

	pipeline_end(&p);
	return live;
}

bool run_take_over(struct run *run)
{
	struct pipeline p;
	struct err err = { 0 };
	bool live = look(run, &p) == EXIT_DONE && p.have.generation;

	if (live && saved_read(run->args, p.have.policy_hash, &run->good, &run->good_length, &err))
		log_warn("run: what the kernel loses is not put back: the text of the policy in "
			 "force: %s",
			 err.text);
	pipeline_end(&p);
	return live;
}

/* ---- rejecting one ---- */

struct rejection {
	struct problems errors;
	uint64_t left_out;
	uint8_t hash[HASH_SIZE]; /* of the file, zero when it could not be read */
};

/* -ENOMEM loses an error; the others still say that the file is no good. */
static void add_error(struct rejection *rejection, const char *place, const char *message)
{
	if (rejection->errors.count == RUNNING_ERRORS_MAX ||
	    problems_add(&rejection->errors, place, "%s", message))
		rejection->left_out++;
}

static void add_errors(struct rejection *rejection, const struct problems *problems)
{
	const struct problem *problem;

	array_for_each(problem, problems)
		add_error(rejection, problem->place, problem->message);
}

static void collect(struct rejection *rejection, const struct pipeline *p)
{
	const struct decide_failure *failure;

	*rejection = (struct rejection){ 0 };
	if (p->text)
		hash_bytes(p->text, p->length, rejection->hash);
	add_errors(rejection, &p->errors);
	array_for_each(failure, &p->tests.failed)
		add_error(rejection, failure->place, failure->message);
	add_errors(rejection, &p->unserved);
	if (!rejection->errors.count)
		add_error(rejection, p->file, p->failure.code ? p->failure.text : "out of memory");
}

static bool is_known(const struct run *run, const struct rejection *rejection)
{
	return run->running.rejected_at &&
	       !memcmp(run->rejected_hash, rejection->hash, HASH_SIZE) &&
	       problems_is_equal(&run->running.errors, &rejection->errors);
}

static void log_errors(const struct pipeline *p, const struct rejection *rejection)
{
	const struct problem *error;

	array_for_each(error, &rejection->errors)
		if (!strcmp(error->place, p->file))
			log_error("run: %s", error->message);
		else
			log_error("run: %s: %s: %s", p->file, error->place, error->message);
	if (rejection->left_out)
		log_error("run: %s: and %llu more", p->file,
			  (unsigned long long)rejection->left_out);
}

/* The same file with the same faults is not news. */
static void reject(struct run *run, const struct pipeline *p)
{
	struct rejection rejection;

	collect(&rejection, p);
	run->running.reloads[RUNNING_REJECTED]++;
	if (is_known(run, &rejection)) {
		problems_free(&rejection.errors);
		return;
	}
	log_errors(p, &rejection);
	problems_free(&run->running.errors);
	run->running.errors = rejection.errors;
	run->running.errors_left_out = rejection.left_out;
	run->running.rejected_at = time(NULL);
	memcpy(run->rejected_hash, rejection.hash, HASH_SIZE);
}

/* ---- accepting one ---- */

static bool is_same_text(const struct run *run, const struct pipeline *p)
{
	return run->good && run->good_length == p->length && !memcmp(run->good, p->text, p->length);
}

static void forget_rejection(struct run *run)
{
	problems_free(&run->running.errors);
	run->running.rejected_at = 0;
	run->running.errors_left_out = 0;
}

static void take_text(struct run *run, struct pipeline *p)
{
	forget_rejection(run);
	free(run->good);
	run->good = TAKE(p->text);
	run->good_length = p->length;
}

static void accept_policy(struct run *run, struct pipeline *p)
{
	const struct problem *warning;

	if (!is_same_text(run, p))
		array_for_each(warning, &p->warnings)
			log_warn("run: %s: %s: %s", p->file, warning->place, warning->message);
	if (run->running.rejected_at)
		log_info("%s is good again and in force", p->file);
	run->running.reloads[p->plan.ops.count ? RUNNING_APPLIED : RUNNING_UNCHANGED]++;
	take_text(run, p);
	run_wait_over(run);
	run_in_force(run, p, true);
}

/* There is nothing wrong with the file. */
static int stay_waiting(struct run *run)
{
	run->running.reloads[RUNNING_UNCHANGED]++;
	forget_rejection(run);
	return EXIT_DONE;
}

/* Steps that failed half way are taken back by applying what was in force before. */
static void restore(struct run *run)
{
	if (!run->good)
		return;
	log_info("back to the policy that was in force");
	run_replan(run);
}

/* Nothing is wrong with the file; what it took was not to be had, and perhaps is later. */
static bool may_do_later(const struct run *run, const struct pipeline *p)
{
	/* one that waits, or tries again, does not stop when the file could not even be read */
	bool tries = p->policy || run->lacks_network || run->again_s;

	return tries && p->failure.code && !p->errors.count && !p->tests.failed.count &&
	       !p->unserved.count;
}

static void try_later(struct run *run, bool later)
{
	run->again_s = later ? run_retry_after(run->again_s) : 0;
	if (later)
		loop_timer_arm(&run->again, run->again_s * 1000);
	else
		loop_timer_disarm(&run->again);
}

int run_load(struct run *run)
{
	struct pipeline p;
	bool touched, waits = false;
	int status;

	run_pins_mend(run);
	run_pipeline_start(run, &p);
	status = pipeline_read_policy(&p);
	if (status == EXIT_DONE)
		status = run_make_key(run, &p);
	if (status == EXIT_DONE)
		status = apply_read(run, &p, &waits);
	if (status == EXIT_DONE)
		accept_policy(run, &p);
	else if (waits)
		status = stay_waiting(run);
	else
		reject(run, &p);
	try_later(run, status != EXIT_DONE && !p.lacks_network && may_do_later(run, &p));
	run->lacks_network = p.lacks_network;
	touched = p.touched;
	run_pipeline_end(run, &p);
	if (status != EXIT_DONE && touched)
		restore(run);
	return status;
}
