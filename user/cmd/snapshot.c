// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/snapshot.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/gather.h"
#include "cmd/try.h"
#include "kernel/bpf_stats.h"
#include "version.h"

static int fail(struct pipeline *p, int status)
{
	if (!p->silent)
		log_error("%s: %s", p->args->command->name, p->failure.text);
	return status;
}

static int read_counters(struct snapshot *snapshot)
{
	struct pipeline *p = &snapshot->p;
	int r;

	snapshot->status.jiffies = gather_jiffies(p->facts.hz);
	if (!p->have.exists) {
		err_set(&p->failure, -ENOENT, "nothing is set up for instance %s",
			p->args->instance);
		return fail(p, EXIT_NOT_RUNNING);
	}
	r = bpf_read_stats(&p->bpf, &p->have, &snapshot->stats, &p->failure);
	if (r)
		return fail(p, EXIT_FAILED);
	r = bpf_read_rule_stats(&p->bpf, &p->have, &snapshot->stats, &p->failure);
	if (r == -ENOENT && p->have.unpinned.count)
		r = 0; /* the names of rules went with the pin of their table, which is told */
	if (!r)
		r = bpf_read_addresses(&p->bpf, &p->have, &snapshot->stats, &p->failure);
	if (!r && status_routes_build(&snapshot->status, &p->facts, &snapshot->routes))
		r = err_set(&p->failure, -ENOMEM, "out of memory");
	snapshot->status.routes = &snapshot->routes;
	return r ? fail(p, EXIT_FAILED) : EXIT_DONE;
}

int snapshot_take(struct snapshot *snapshot, const struct args *args, const struct running *running,
		  bool silent)
{
	struct trial trial;
	int status;

	memset(snapshot, 0, sizeof(*snapshot));
	pipeline_start(&snapshot->p, args);
	snapshot->p.silent = silent;
	snapshot->status = (struct status){
		.version = TOWPATH_VERSION,
		.instance = args->instance,
		.have = &snapshot->p.have,
		.stats = &snapshot->stats,
		.running = running,
		.now = time(NULL),
	};
	if (try_find(args, &trial, &snapshot->p.failure))
		return fail(&snapshot->p, EXIT_FAILED);
	snapshot->status.try_until = trial.until;
	snapshot->status.try_abandoned = trial.abandoned;
	status = pipeline_observe(&snapshot->p, false);
	return status == EXIT_DONE ? read_counters(snapshot) : status;
}

void snapshot_free(struct snapshot *snapshot)
{
	stats_free(&snapshot->stats);
	status_routes_free(&snapshot->routes);
	pipeline_end(&snapshot->p);
}
