/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has become of the routes since the last apply: devices and routes of this machine come and
 * go, and so do those who carry a route.
 */
#ifndef TP_REPORT_STATUS_ROUTES_H
#define TP_REPORT_STATUS_ROUTES_H

#include "model/facts.h"
#include "report/status.h"

/* One for each row of have->route_info, in the same order. */
struct status_route {
	uint8_t state; /* enum tp_route_state */
	bool stale;    /* apply would decide otherwise now */
	char reason[sizeof(((struct tp_route_info *)0)->reason)];
};

struct status_routes {
	ARRAY_OF(struct status_route);
	struct status_problems lost; /* what was ours is gone, and can be put back */
	struct status_problems problems;
};

/* 0 or -ENOMEM, with *out untouched. */
int status_routes_build(const struct status *status, const struct facts *facts,
			struct status_routes *out);
void status_routes_free(struct status_routes *routes);

#endif
