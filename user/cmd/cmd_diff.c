// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/pipeline.h"
#include "model/delta.h"
#include "report/check.h"
#include "report/delta.h"

enum { OLD, NEW, FILES };

/* What this build cannot serve is compared all the same: the grants are all that counts here. */
static int read_policy(struct pipeline *p, const char *kind)
{
	const struct decide_failure *failure;
	int status;

	p->quiet = true;
	status = pipeline_read_policy(p);
	check_print_problems(stderr, p->file, "", &p->errors);
	array_for_each(failure, &p->tests.failed)
		fprintf(stderr, "%s: %s: %s%s\n", p->file, failure->place, kind, failure->message);
	return status == EXIT_LACKING ? EXIT_DONE : status;
}

static int print(const struct pipeline files[FILES])
{
	struct delta delta = { 0 };
	const struct delta_report report = {
		.old_file = files[OLD].file,
		.new_file = files[NEW].file,
		.old_policy = files[OLD].policy,
		.new_policy = files[NEW].policy,
		.delta = &delta,
	};
	int r;

	r = delta_build(files[OLD].policy, files[NEW].policy, &delta);
	if (r) {
		log_error("diff: compare %s with %s: %s", files[OLD].file, files[NEW].file,
			  strerror(-r));
		return EXIT_FAILED;
	}

	r = files[OLD].args->json ? delta_print_json(stdout, &report)
				  : delta_print_text(stdout, &report);
	delta_free(&delta);
	if (!r)
		return EXIT_DONE;
	log_error("diff: write the result: %s", strerror(-r));
	return EXIT_FAILED;
}

/* The old policy's failing tests are history; those of the new one are what one wants to know. */
static int leave_with(const int status[FILES])
{
	if (status[OLD] != EXIT_DONE && status[OLD] != EXIT_TEST)
		return status[OLD];
	return status[NEW];
}

int cmd_diff(const struct args *args)
{
	static const char *const kinds[FILES] = { "warning: ", "" };
	struct pipeline files[FILES];
	int status[FILES], printed, i;

	for (i = 0; i < FILES; i++) {
		pipeline_start(&files[i], args);
		files[i].file = args->operands[i];
		status[i] = read_policy(&files[i], kinds[i]);
	}
	if (files[OLD].policy && files[NEW].policy) {
		printed = print(files);
		if (printed != EXIT_DONE)
			status[NEW] = printed;
	}
	for (i = 0; i < FILES; i++)
		pipeline_end(&files[i]);
	return leave_with(status);
}
