/* SPDX-License-Identifier: GPL-2.0-only */
/* The metrics of a running daemon in Prometheus' text format 0.0.4; docs/metrics.md lists them. */
#ifndef TP_REPORT_METRICS_H
#define TP_REPORT_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "report/status.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics {
	const char *version;
	const struct running *running;
	const struct status *status; /* NULL: nothing is set up, or the kernel did not tell */
	bool ready;
};

/* 0 or -EIO. */
int metrics_print(FILE *out, const struct metrics *metrics);

/* status_find_problems, leaving aside what does not keep packets from being forwarded. */
int metrics_find_unready(const struct status *status, struct status_problems *out);

#endif
