// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/floor.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"
#include "report/check.h"

static int print(const struct pipeline *p)
{
	if (p->args->json)
		return plan_print_json(stdout, p->want.node, &p->plan);
	return plan_print_text(stdout, p->want.node, &p->plan);
}

int cmd_plan(const struct args *args)
{
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	status = pipeline_read_policy(&p);
	if (status == EXIT_DONE)
		status = require_root(args);
	if (status == EXIT_DONE)
		status = require_kernel(args);
	if (status == EXIT_DONE)
		status = pipeline_find_self(&p);
	if (status == EXIT_DONE)
		status = pipeline_observe(&p, false);
	if (status == EXIT_DONE)
		status = pipeline_plan(&p);
	if (status == EXIT_DONE && print(&p)) {
		log_error("plan: write the result failed");
		status = EXIT_FAILED;
	}
	pipeline_end(&p);
	return status;
}
