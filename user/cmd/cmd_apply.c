// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"
#include "cmd/steps.h"

static const enum bpf_attach_mode attach_modes[] = {
	[ARGS_TC_AUTO] = ATTACH_AUTO, [ARGS_TC_TCX] = ATTACH_TCX, [ARGS_TC_CLSACT] = ATTACH_CLSACT
};

int apply_prepare(struct pipeline *p)
{
	int status = pipeline_find_self(p);

	if (status == EXIT_DONE)
		status = pipeline_observe(p, true);
	if (status == EXIT_DONE)
		status = pipeline_plan(p);
	return status;
}

int apply_finish(struct pipeline *p)
{
	return pipeline_apply(p, &p->want, attach_modes[p->args->tc_attach]);
}

int apply_all(struct pipeline *p)
{
	int status = apply_prepare(p);

	return status == EXIT_DONE ? apply_finish(p) : status;
}

/* Valid, and no reason to refuse it: the same file is there for machines that run the daemon. */
static void warn_metrics(const struct pipeline *p)
{
	if (p->policy->config->metrics_listen)
		log_warn("apply: %s: $.metrics.listen: only `towpath run` serves metrics", p->file);
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
		status = take_lock(args, &lock);
	if (status == EXIT_DONE) {
		warn_metrics(&p);
		status = apply_all(&p);
	}
	pipeline_end(&p);
	return status;
}
