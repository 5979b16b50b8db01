// SPDX-License-Identifier: GPL-2.0-only
#include "plan/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/plan_parts.h"

struct op *op_add(struct plan *plan, enum op_phase phase, enum op_kind kind, const char *verb)
{
	struct op *op = array_add(&plan->ops);

	if (!op)
		return NULL;

	op->phase = phase;
	op->kind = kind;
	op->verb = verb;
	return op;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	array_clear(&plan->ops);
	if (plan->owned)
		array_clear(plan->owned);
	free(TAKE(plan->owned));
}

const char *op_phase_name(enum op_phase phase)
{
	static const char *const names[] = {
		[PHASE_ADD] = "add", [PHASE_SWITCH] = "switch", [PHASE_REMOVE] = "remove"
	};

	return names[phase];
}

int walk_both(struct diff *d, const struct walk *walk)
{
	const char *want = walk->want, *have = walk->have;
	const char *want_end = want + walk->want_count * walk->size;
	const char *have_end = have + walk->have_count * walk->size;
	int r = 0;

	while (!r && (want < want_end || have < have_end)) {
		int order;

		if (want == want_end)
			order = 1;
		else if (have == have_end)
			order = -1;
		else
			order = walk->compare(want, have);

		r = walk->visit(d, order <= 0 ? want : NULL, order >= 0 ? have : NULL);
		if (order <= 0)
			want += walk->size;
		if (order >= 0)
			have += walk->size;
	}
	return r;
}

static int add_row_op(struct diff *d, enum op_phase phase, enum op_kind kind, const char *verb,
		      const void *row)
{
	struct op *op = op_add(&d->plan, phase, kind, verb);

	if (!op)
		return -ENOMEM;
	op->args.row = row;
	return 0;
}

static int visit_row_set(struct diff *d, const void *want, const void *have)
{
	const struct row_kind *kind = d->rows;

	if (!want || (have && !d->fresh &&
		      !memcmp((const char *)want + kind->value_at,
			      (const char *)have + kind->value_at, kind->value_size)))
		return 0;
	return add_row_op(d, PHASE_ADD, kind->set, "set", want);
}

static int visit_row_gone(struct diff *d, const void *want, const void *have)
{
	return want ? 0 : add_row_op(d, PHASE_REMOVE, d->gone, "remove", have);
}

int diff_rows_set(struct diff *d, const struct row_kind *kind, const struct walk *walk)
{
	struct walk rows = *walk;

	rows.visit = visit_row_set;
	d->rows = kind;
	return walk_both(d, &rows);
}

int diff_rows_remove(struct diff *d, enum op_kind remove, const struct walk *walk)
{
	struct walk rows = *walk;

	rows.visit = visit_row_gone;
	d->gone = remove;
	return walk_both(d, &rows);
}
