// SPDX-License-Identifier: GPL-2.0-only
#include "report/status_local_vips.h"

#include <string.h>

#include "report/json_out.h"

static const char *where_name(const struct local_vip_row *row)
{
	switch (row->vip.where) {
	case TP_VIP_HERE: return "here";
	case TP_VIP_ELSEWHERE: return "elsewhere";
	default: return "unknown";
	}
}

static const char *put_addr(char *buf, const struct local_vip_row *row)
{
	struct addr addr;

	memcpy(&addr, &row->addr, sizeof(addr));
	return addr_put(buf, &addr);
}

void status_add_local_vips(cJSON *root, const struct state *have)
{
	cJSON *array = cJSON_AddArrayToObject(root, "local_vips");
	const struct local_vip_row *row;
	char text[ADDR_TEXT_SIZE];

	array_for_each(row, &have->found_vips) {
		cJSON *item = json_out_item(array);

		cJSON_AddStringToObject(item, "address", put_addr(text, row));
		cJSON_AddStringToObject(item, "where", where_name(row));
		cJSON_AddBoolToObject(item, "used", row->vip.used != 0);
	}
}

void status_print_local_vips(FILE *out, const struct state *have)
{
	const struct local_vip_row *row;
	char text[ADDR_TEXT_SIZE];
	bool any = false;

	array_for_each(row, &have->found_vips) {
		if (!row->vip.used)
			continue;
		if (!any)
			fprintf(out, "\n%-28s %s\n", "LOCAL VIP", "WHERE");
		any = true;
		fprintf(out, "%-28s %s\n", put_addr(text, row), where_name(row));
	}
}
