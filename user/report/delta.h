/* SPDX-License-Identifier: GPL-2.0-only */
/* What `diff` prints. */
#ifndef TP_REPORT_DELTA_H
#define TP_REPORT_DELTA_H

#include <stdio.h>

#include "model/delta.h"

struct delta_report {
	const char *old_file, *new_file;
	const struct policy *old_policy, *new_policy; /* for names */
	const struct delta *delta;
};

/* Both 0, -ENOMEM or -EIO. JSON has addresses alone: a name may mean something else tomorrow. */
int delta_print_json(FILE *out, const struct delta_report *report);
int delta_print_text(FILE *out, const struct delta_report *report);

#endif
