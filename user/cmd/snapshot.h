/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel is doing at this moment, for whoever reports it. */
#ifndef TP_CMD_SNAPSHOT_H
#define TP_CMD_SNAPSHOT_H

#include "cmd/pipeline.h"
#include "model/stats.h"
#include "report/status_routes.h"

struct snapshot {
	struct pipeline p;
	struct stats stats;
	struct status_routes routes;
	struct status status; /* points into the snapshot */
};

/*
 * EXIT_DONE, EXIT_NOT_RUNNING when nothing is set up, or the status of what failed. silent: why
 * is in p.failure alone. Must be freed however it went. running: NULL or the caller's.
 */
int snapshot_take(struct snapshot *snapshot, const struct args *args, const struct running *running,
		  bool silent);
void snapshot_free(struct snapshot *snapshot); /* wipes keys */

#endif
