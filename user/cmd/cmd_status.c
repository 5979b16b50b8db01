// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"
#include "kernel/bpf_stats.h"
#include "report/status.h"
#include "version.h"

static int print(const struct pipeline *p, const struct stats *stats)
{
	const struct status status = {
		.version = TOWPATH_VERSION,
		.instance = p->args->instance,
		.have = &p->have,
		.stats = stats,
		.now = time(NULL),
	};

	return p->args->json ? status_print_json(stdout, &status)
			     : status_print_text(stdout, &status);
}

static int show(struct pipeline *p)
{
	struct stats stats = {};
	struct err err;
	int status = EXIT_DONE;

	if (!p->have.exists) {
		log_error("status: nothing is set up for instance %s", p->args->instance);
		return EXIT_NOT_RUNNING;
	}
	if (bpf_read_stats(&p->bpf, &p->have, &stats, &err)) {
		log_error("status: %s", err.text);
		status = EXIT_FAILED;
	} else if (print(p, &stats)) {
		log_error("status: write the result failed");
		status = EXIT_FAILED;
	}
	stats_free(&stats);
	return status;
}

int cmd_status(const struct args *args)
{
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	status = require_root(args);
	if (status == EXIT_DONE)
		status = pipeline_observe(&p, false);
	if (status == EXIT_DONE)
		status = show(&p);
	pipeline_end(&p);
	return status;
}
