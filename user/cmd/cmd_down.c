// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"
#include "cmd/saved.h"
#include "cmd/steps.h"
#include "cmd/try.h"

/* Why is in p->failure. */
static int fail(const struct pipeline *p, int status)
{
	if (!p->silent)
		log_error("%s: %s", p->args->command->name, p->failure.text);
	return status;
}

/* An apply that was killed while it made the maps had not come to the one that says so. */
static int remove_pins(struct pipeline *p)
{
	if (!p->bpf_found || !bpf_fs_has_instance(p->bpf.bpffs, p->args->instance)) {
		err_set(&p->failure, -ENOENT, "nothing is set up for instance %s",
			p->args->instance);
		return fail(p, EXIT_NOT_RUNNING);
	}
	log_info("remove pins of an apply that did not get far");
	if (bpf_fs_remove(p->bpf.bpffs, p->args->instance, &p->failure))
		return fail(p, EXIT_FAILED);
	return EXIT_DONE;
}

int down_all(struct pipeline *p)
{
	int status = pipeline_observe(p, false);

	if (status != EXIT_DONE)
		return status;
	if (!p->have.exists && !p->have.rules.count)
		return remove_pins(p);
	if (plan_build_down(&p->have, &p->plan, &p->failure))
		return fail(p, EXIT_FAILED);
	status = pipeline_remove_strays(p);
	if (status == EXIT_DONE)
		status = pipeline_apply(p, NULL);
	if (status == EXIT_DONE)
		saved_remove(p->args);
	return status;
}

int cmd_down(const struct args *args)
{
	AUTO_CLOSE int lock = -1;
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	p.removing = true;
	status = require_root(args);
	if (status == EXIT_DONE)
		status = take_lock(args, &lock);
	if (status == EXIT_DONE) {
		(void)try_end(args); /* there is nothing left to put back to */
		status = down_all(&p);
	}
	if (status == EXIT_DONE || status == EXIT_NOT_RUNNING)
		remove_run_files(args);
	pipeline_end(&p);
	return status;
}
