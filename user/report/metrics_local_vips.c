// SPDX-License-Identifier: GPL-2.0-only
/* Of local VIPs: those that packets have gone to, as in the table of `status`. */
#include <string.h>

#include "base/addr.h"
#include "report/metrics_out.h"
#include "report/metrics_parts.h"

void metrics_print_local_vips(FILE *out, const struct status *status)
{
	const char *name = "towpath_local_vip_here";
	const struct local_vip_row *row;
	char text[ADDR_TEXT_SIZE];
	struct addr addr;

	metrics_family(out, name, "gauge", "1 while no other machine of the LAN has the address.");
	array_for_each(row, &status->have->found_vips) {
		if (!row->vip.used)
			continue;
		memcpy(&addr, &row->addr, sizeof(addr));
		metrics_sample(out, name, row->vip.where == TP_VIP_HERE,
			       METRICS_LABELS({ "address", addr_put(text, &addr) }));
	}
}
