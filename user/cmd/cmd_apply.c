// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/floor.h"
#include "cmd/home.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"
#include "cmd/saved.h"
#include "cmd/session.h"
#include "cmd/steps.h"
#include "cmd/try.h"
#include "kernel/stale.h"

/* Whoever reads it later goes by its hash, so one that could not be written is only missed. */
static void save(struct pipeline *p)
{
	if (saved_write(p->args, p->text, p->length, &p->unsaved) && !p->silent)
		log_warn("%s: the policy is in force, but could not be kept: %s",
			 p->args->command->name, p->unsaved.text);
}

/*
 * A tunnel.netns may come and go; what is left of the one before is nobody's any more. It is kept
 * until there is another, for `status` to tell what happened.
 */
static int clear_gone(struct pipeline *p)
{
	const char *name = p->self->node->tunnel.netns;
	struct netns_id there;
	struct pipeline old;
	int status;

	if (!name)
		return EXIT_DONE;
	netns_identify(name, &there);
	if (!there.inode || !home_is_gone(p->args))
		return EXIT_DONE;
	log_warn("the network namespace of instance %s is gone; removing what is left of it",
		 p->args->instance);
	pipeline_start(&old, p->args);
	old.removing = true;
	old.silent = p->silent;
	p->cleared = true;
	status = down_all(&old);
	if (status == EXIT_NOT_RUNNING)
		status = EXIT_DONE;
	if (status != EXIT_DONE)
		p->failure = old.failure;
	pipeline_end(&old);
	return status;
}

int apply_prepare(struct pipeline *p)
{
	int status = pipeline_find_self(p);

	if (status == EXIT_DONE)
		status = clear_gone(p);
	if (status == EXIT_DONE)
		status = pipeline_observe(p, true);
	if (status == EXIT_DONE)
		status = pipeline_plan(p);
	return status;
}

/*
 * One that was killed, or failed, before it had closed the sockets of removed backends left a plan
 * in which there is nothing about them. The policy is in force, whatever comes of it.
 */
static void close_left(const struct pipeline *p)
{
	const struct op *op;
	struct err err;

	if (!p->want.socket_lb.closes || (p->repairs && !p->failed_before))
		return;
	array_for_each(op, &p->plan.ops)
		if (op->kind == OP_SOCKETS_CLOSE)
			return;
	if (stale_close(&p->bpf, &p->want.socket_lb, &err))
		log_warn("%s: %s; the next apply tries again", p->args->command->name, err.text);
}

int apply_finish(struct pipeline *p)
{
	int status = pipeline_apply(p, &p->want);

	if (status == EXIT_DONE) {
		save(p);
		close_left(p);
	}
	return status;
}

int apply_all(struct pipeline *p)
{
	int status = apply_prepare(p);

	if (status == EXIT_DONE)
		status = refuse_cut(p);
	return status == EXIT_DONE ? apply_finish(p) : status;
}

/* Valid, and no reason to refuse it: the same file is there for machines that run the daemon. */
static void warn_metrics(const struct pipeline *p)
{
	if (p->policy->config->metrics_listen)
		log_warn("apply: %s: $.metrics.listen: only `towpath run` serves metrics", p->file);
}

/* A policy that failed was perhaps half in place. */
static int apply_on_trial(struct pipeline *p)
{
	struct try_before before = { 0 };
	int status = try_begin(p->args, &before);

	if (status == EXIT_DONE) {
		status = apply_all(p);
		if (status != EXIT_DONE && p->touched)
			try_give_up(p->args, &before);
		else if (status != EXIT_DONE)
			try_end(p->args);
		else
			log_info("on trial for %u s: `towpath confirm` keeps it",
				 p->args->try_seconds);
	}
	try_before_free(&before);
	return status;
}

int cmd_apply(const struct args *args)
{
	AUTO_CLOSE int lock = -1;
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	status = pipeline_read_policy(&p);
	if (status == EXIT_DONE)
		status = require_root(args);
	if (status == EXIT_DONE)
		status = require_kernel(args);
	if (status == EXIT_DONE)
		status = take_lock(args, &lock);
	if (status == EXIT_DONE)
		status = try_refuse(args);
	if (status == EXIT_DONE) {
		warn_metrics(&p);
		status = args->try_seconds ? apply_on_trial(&p) : apply_all(&p);
	}
	pipeline_end(&p);
	return status;
}
