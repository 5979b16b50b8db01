// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/pipeline.h"
#include "report/check.h"

/* A section that is valid but not served yet is not the policy's fault: a warning, and exit 6. */
static int move_unserved(struct pipeline *p)
{
	const struct problem *problem;

	array_for_each(problem, &p->unserved)
		if (problems_add(&p->warnings, problem->place, "%s", problem->message))
			return -1;
	return 0;
}

static int check_node(const struct pipeline *p)
{
	if (!p->args->node || policy_find_self(p->policy, p->args->node, NULL))
		return EXIT_DONE;
	log_error("check: the policy has no node \"%s\"", p->args->node);
	return EXIT_FAILED;
}

static int print(struct pipeline *p)
{
	const struct check check = {
		.file = p->file,
		.valid = p->policy && !p->errors.count,
		.errors = &p->errors,
		.warnings = &p->warnings,
		.tests = p->tests_run ? &p->tests : NULL,
	};
	FILE *out = check.valid || p->args->json ? stdout : stderr;

	if (move_unserved(p))
		return -1;
	return p->args->json ? check_print_json(out, &check) : check_print_text(out, &check);
}

int cmd_check(const struct args *args)
{
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	p.quiet = true;
	status = pipeline_read_policy(&p);
	if (status != EXIT_FAILED && print(&p)) {
		log_error("check: write the result failed");
		status = EXIT_FAILED;
	}
	if (status == EXIT_DONE)
		status = check_node(&p);
	pipeline_end(&p);
	return status;
}
