// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/lock.h"
#include "cmd/snapshot.h"
#include "daemon/control.h"

/* False when no daemon runs, or when it does not answer, which is worth a line. */
static bool ask_daemon(const struct args *args, struct running *out)
{
	char path[RUN_PATH_SIZE];
	struct err err;
	int r = control_ask(run_path(path, args, "sock"), out, &err);

	if (r && r != -ENOENT)
		log_warn("status: %s", err.text);
	return !r;
}

static int print(const struct args *args, const struct status *status)
{
	int r = args->json ? status_print_json(stdout, status) : status_print_text(stdout, status);

	if (!r)
		return EXIT_DONE;
	log_error("status: write the result failed");
	return EXIT_FAILED;
}

/* For scripts and probes. */
static int judge_health(const struct status *status)
{
	struct status_problems problems = { 0 };
	int r = status_find_problems(status, &problems);
	bool healthy = !r && !problems.count;

	array_clear(&problems);
	return healthy ? EXIT_DONE : EXIT_FAILED;
}

int cmd_status(const struct args *args)
{
	struct running running = { 0 };
	struct snapshot snapshot;
	int status = require_root(args);
	bool asked;

	if (status != EXIT_DONE)
		return status;
	asked = ask_daemon(args, &running);
	status =
		snapshot_take(&snapshot, args, asked ? &running : NULL, running_is_tried(&running));
	if (status == EXIT_NOT_RUNNING && running_is_tried(&running))
		status = EXIT_DONE;
	else if (status != EXIT_DONE && running_is_tried(&running))
		log_error("status: %s", snapshot.p.failure.text);
	if (status == EXIT_DONE)
		status = print(args, &snapshot.status);
	if (status == EXIT_DONE && args->healthy)
		status = judge_health(&snapshot.status);
	snapshot_free(&snapshot);
	running_free(&running);
	return status;
}
