// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"
#include "kernel/apply.h"

static void say_progress(const struct op *op, void *data)
{
	(void)data; /* nothing to carry */
	log_info("%s", op->text);
}

static int run_plan(struct pipeline *p)
{
	static const enum bpf_attach_mode modes[] = { [ARGS_TC_AUTO] = ATTACH_AUTO,
						      [ARGS_TC_TCX] = ATTACH_TCX,
						      [ARGS_TC_CLSACT] = ATTACH_CLSACT };
	const struct apply apply = {
		.bpf = &p->bpf,
		.instance = p->args->instance,
		.want = &p->want,
		.have = &p->have,
		.attach_mode = modes[p->args->tc_attach],
		.progress = say_progress,
	};
	struct err err;
	int r = apply_plan(&apply, &p->plan, &err);

	if (!r)
		return EXIT_DONE;
	log_error("apply: %s", err.text);
	return r == -EOPNOTSUPP || r == -ENOSYS ? EXIT_LACKING : EXIT_FAILED;
}

static int apply_all(struct pipeline *p)
{
	int status = pipeline_find_self(p);

	if (status == EXIT_DONE)
		status = pipeline_observe(p, true);
	if (status == EXIT_DONE)
		status = pipeline_plan(p);
	if (status == EXIT_DONE)
		status = run_plan(p);
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
		status = take_lock(args, &lock);
	if (status == EXIT_DONE)
		status = apply_all(&p);
	pipeline_end(&p);
	return status;
}
