// SPDX-License-Identifier: GPL-2.0-only
/* Of services: each backend, and the programs of sockets. */
#include <string.h>

#include "base/addr.h"
#include "report/metrics_out.h"
#include "report/metrics_parts.h"

void metrics_print_services(FILE *out, const struct status *status)
{
	const char *name = "towpath_backend_healthy";
	const struct backends_row *row;
	char text[ADDR_TEXT_SIZE], service[TP_NAME_SIZE];
	struct addr addr;
	uint32_t i;

	metrics_family(out, name, "gauge", "1 while the backend may be chosen.");
	array_for_each(row, &status->have->socket_lb.backends) {
		snprintf(service, sizeof(service), "%.*s", TP_NAME_SIZE - 1, row->backends.name);
		for (i = 0; i < row->backends.count && i < TP_BACKEND_MAX; i++) {
			memcpy(&addr, &row->backends.addrs[i], sizeof(addr));
			metrics_sample(out, name, row->backends.healthy >> i & 1,
				       METRICS_LABELS({ "service", service },
						      { "backend", addr_put(text, &addr) }));
		}
	}
}

static void print_link(void *out, const char *cgroup, enum socket_program program, uint32_t link_id)
{
	(void)link_id;
	metrics_sample(
		out, "towpath_attached", 1,
		METRICS_LABELS({ "device", cgroup }, { "program", socket_program_name(program) }));
}

void metrics_print_sockets(FILE *out, const struct socket_lb *lb)
{
	socket_lb_each_link(lb, print_link, out);
}
