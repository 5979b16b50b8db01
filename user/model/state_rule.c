// SPDX-License-Identifier: GPL-2.0-only
#include "model/state.h"

int state_rule_compare(const void *a, const void *b)
{
	const struct state_rule *x = a, *y = b;

	if (x->v6 != y->v6)
		return x->v6 - y->v6;
	if (x->priority != y->priority)
		return x->priority > y->priority ? 1 : -1;
	if (x->table != y->table)
		return x->table > y->table ? 1 : -1;
	return (x->suppress > y->suppress) - (x->suppress < y->suppress);
}
