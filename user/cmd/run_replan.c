// SPDX-License-Identifier: GPL-2.0-only
/* The policy in force, once more: because the calendar, or the kernel, is not what it was. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/run.h"
#include "cmd/steps.h"

uint32_t run_retry_after(uint32_t last_s)
{
	if (!last_s)
		return RUN_RETRY_MIN_S;
	return last_s < RUN_RETRY_MAX_S ? 2 * last_s : RUN_RETRY_MAX_S;
}

void run_pipeline_start(struct run *run, struct pipeline *p)
{
	pipeline_start(p, run->args);
	run->names = run_endpoints_answers(&run->endpoints);
	p->names = &run->names;
	p->seen = &run->seen;
	p->unattended = true;
	p->quiet = true;
	p->silent = true;
}

void run_pipeline_end(struct run *run, struct pipeline *p)
{
	if (p->cleared) {
		run_pins_drop(run);
		run_sink_drop(run);
	}
	if (p->touched || p->cleared)
		run_pins_take(run);
	pipeline_end(p);
	malloc_trim(0); /* a library keeps what was freed for the next time, which may be never */
}

/* Each reason is logged once, until it is another or none. */
static void complain(struct run *run, const char *why)
{
	if (run->running.failure && !strcmp(run->running.failure, why))
		return;
	log_error("run: the policy in force: %s", why);
	free(run->running.failure);
	run->running.failure = mem_copy_string(why); /* NULL: then only the log knows */
}

/* After one the kernel was left alone for longer: what it tells nobody is looked for now. */
static void forget_failure(struct run *run)
{
	if (run->running.failure)
		kernel_watch_look(&run->kernel);
	free(TAKE(run->running.failure));
}

void run_in_force(struct run *run, const struct pipeline *p, bool said)
{
	run_mind_saved(run, p);
	run_mind_keys(run, p, said);
	run_netns_follow(run, p);
	kernel_watch_others(&run->kernel, p->facts.asks_behind);
	run_exempt_follow(run, p);
	run_health_follow(run, p);
	run_local_vips_follow(run, p);
	if (run_endpoints_follow(&run->endpoints, p))
		log_error("run: out of memory: not all names of endpoints are followed");
	if (!run->pins.hold.pins.count)
		run_pins_take(run);
	run_sink_keep(run, &p->netns);
	if (seen_note(&run->seen, &p->want, &p->have))
		log_error("run: out of memory: where peers are is not noted");
	run->retry_s = 0;
	run->served = true;
	if (p->sockets.code) /* it is tried again at every look */
		complain(run, p->sockets.text);
	else
		forget_failure(run);
}

/* ---- what was repaired ---- */

static enum running_object object_of(enum op_kind kind)
{
	switch (kind) {
	case OP_LINK_ADD:
	case OP_LINK_SET:
	case OP_LINK_REMOVE:
	case OP_TUNNEL_SET: return RUNNING_LINK;
	case OP_PEER_SET:
	case OP_PEER_REMOVE: return RUNNING_PEER;
	case OP_ADDRESS_ADD:
	case OP_ADDRESS_REMOVE:
	case OP_LAN_ADDRESS_ADD:
	case OP_LAN_ADDRESS_REMOVE: return RUNNING_ADDRESS;
	case OP_ROUTE_ADD:
	case OP_ROUTE_REMOVE:
	case OP_RULE_ADD:
	case OP_RULE_REMOVE: return RUNNING_ROUTE;
	case OP_SYSCTL_SET:
	case OP_SYSCTL_RESTORE: return RUNNING_SYSCTL;
	case OP_PROGRAMS_LOAD:
	case OP_PROGRAMS_REMOVE:
	case OP_ATTACH:
	case OP_DETACH:
	case OP_SOCKET_ATTACH:
	case OP_SOCKET_DETACH: return RUNNING_PROGRAM;
	default: return RUNNING_MAP;
	}
}

/* A namespace or a cgroup that comes or goes is no damage. */
static bool is_repair(const struct pipeline *p, const struct op *op)
{
	if (op->kind == OP_SOCKET_ATTACH)
		return op->args.socket_set != SOCKET_SET_HIDE || !p->have.socket_lb.grows;
	return op->kind != OP_EXEMPT_SET && op->kind != OP_EXEMPT_REMOVE;
}

static size_t count_steps(const struct pipeline *p)
{
	const struct op *op;
	size_t steps = 0;

	array_for_each(op, &p->plan.ops)
		steps += is_repair(p, op);
	return steps;
}

static void count_repairs(struct run *run, const struct pipeline *p)
{
	const struct op *op;

	array_for_each(op, &p->plan.ops)
		if (is_repair(p, op))
			run->running.repairs[object_of(op->kind)]++;
}

/* ---- doing it ---- */

/* Lends the text in force to p, until give_back. */
static int plan_good(struct run *run, struct pipeline *p)
{
	int status;

	p->text = TAKE(run->good);
	p->length = run->good_length;
	status = pipeline_read_policy(p);
	return status == EXIT_DONE ? apply_prepare(p) : status;
}

static void give_back(struct run *run, struct pipeline *p)
{
	run->good = TAKE(p->text);
}

/* p failed, and is to be tried again. */
static void note_failure(struct run *run, const struct pipeline *p)
{
	const char *why = p->failure.code ? p->failure.text : "it is not valid any more";

	run->retry_s = run_retry_after(run->retry_s);
	loop_timer_arm_at(&run->expiry, time(NULL) + run->retry_s);
	complain(run, why);
}

/* Should it fail: again later. */
static enum look replan(struct run *run, bool repair)
{
	struct pipeline p;
	size_t steps;
	bool waits;
	int status;

	run_pipeline_start(run, &p);
	p.repairs = true;
	p.failed_before = run->running.failure != NULL;
	status = plan_good(run, &p);
	steps = count_steps(&p);
	if (steps && repair)
		log_warn("the kernel is not as it was left; steps to put that right: %zu", steps);
	if (status == EXIT_DONE)
		status = apply_finish(&p);
	give_back(run, &p);
	if (status == EXIT_DONE)
		run_in_force(run, &p, false);
	else
		note_failure(run, &p);
	if (status == EXIT_DONE && repair)
		count_repairs(run, &p);
	waits = p.lacks_network;
	run_pipeline_end(run, &p);
	run_say_news(run);
	if (status != EXIT_DONE)
		return waits ? LOOK_WAITS : LOOK_FAILED;
	return steps ? LOOK_MENDED : LOOK_FOUND_NOTHING;
}

/*
 * The file comes first, when it waits for the network. Started with one that is rejected: what is
 * in force is in the kernel alone.
 */
static enum look look(struct run *run, bool repair)
{
	enum look found = run->lacks_network ? run_look_again(run) : LOOK_FOUND_NOTHING;

	/* a load that failed has put back what is in force, as far as it could */
	return run->good && (found == LOOK_WAITS || found == LOOK_FOUND_NOTHING)
		       ? replan(run, repair)
		       : found;
}

void run_replan(struct run *run)
{
	(void)look(run, false); /* noted in `running` */
}

enum look run_repair(struct run *run)
{
	bool mended = run_pins_mend(run);
	enum look found = look(run, true);

	return found == LOOK_FOUND_NOTHING && mended ? LOOK_MENDED : found;
}
