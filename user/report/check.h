/* SPDX-License-Identifier: GPL-2.0-only */
/* What `check` and `plan` print. */
#ifndef TP_REPORT_CHECK_H
#define TP_REPORT_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/problem.h"
#include "model/decide.h"
#include "plan/ops.h"

struct check {
	const char *file;
	bool valid;
	const struct problems *errors;
	const struct problems *warnings;
	const struct decide_result *tests; /* NULL: not run, the policy is not valid */
};

/* Both 0, -ENOMEM or -EIO. Text goes to people: nothing is printed about what is fine. */
int check_print_json(FILE *out, const struct check *check);
int check_print_text(FILE *out, const struct check *check);

/* "FILE: PLACE: MESSAGE" lines, as a compiler would. */
void check_print_problems(FILE *out, const char *file, const char *kind,
			  const struct problems *problems);

int plan_print_json(FILE *out, const char *node, const struct plan *plan);
int plan_print_text(FILE *out, const char *node, const struct plan *plan);

#endif
