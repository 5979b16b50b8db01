/* SPDX-License-Identifier: GPL-2.0-only */
/* Where local VIPs were last found, for status. */
#ifndef TP_REPORT_STATUS_LOCAL_VIPS_H
#define TP_REPORT_STATUS_LOCAL_VIPS_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "model/state.h"

void status_add_local_vips(cJSON *root, const struct state *have);
/* A table of those that packets have gone to; nothing when there are none. */
void status_print_local_vips(FILE *out, const struct state *have);

#endif
