/* SPDX-License-Identifier: GPL-2.0-only */
/* What `trace` prints. Both 0, -ENOMEM or -EIO. */
#ifndef TP_REPORT_TRACE_H
#define TP_REPORT_TRACE_H

#include <stdio.h>

#include "model/trace.h"

int trace_print_text(FILE *out, const struct trace *trace);
int trace_print_json(FILE *out, const struct trace *trace);

#endif
