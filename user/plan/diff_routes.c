// SPDX-License-Identifier: GPL-2.0-only
/* Kernel routes, the rules that lead to them, and sysctls. */
#include <errno.h>
#include <string.h>

#include "plan/plan_parts.h"

static int route_compare(const void *a, const void *b)
{
	const struct state_route *x = a, *y = b;
	int r = prefix_compare(&x->prefix, &y->prefix);

	if (!r)
		r = (x->table > y->table) - (x->table < y->table);
	return r ? r : (x->metric > y->metric) - (x->metric < y->metric);
}

static int add_route_op(struct diff *d, enum op_kind kind, const char *verb,
			const struct state_route *route)
{
	struct op *op =
		op_add(&d->plan, kind == OP_ROUTE_ADD ? PHASE_ADD : PHASE_REMOVE, kind, verb);

	if (!op)
		return -ENOMEM;
	op->args.route = route;
	return 0;
}

static bool route_is_equal(const struct state_route *a, const struct state_route *b)
{
	return addr_is_equal(&a->prefsrc, &b->prefsrc) && a->mtu == b->mtu;
}

static int visit_add(struct diff *d, const void *w, const void *h)
{
	const struct state_route *want = w, *have = h;

	if (!want || (have && route_is_equal(want, have)))
		return 0;
	return add_route_op(d, OP_ROUTE_ADD, have ? "change" : "add", want);
}

static int visit_remove(struct diff *d, const void *want, const void *have)
{
	return want ? 0 : add_route_op(d, OP_ROUTE_REMOVE, "remove", have);
}

/* The routes through an old device go with it. */
static int walk_routes(struct diff *d, int (*visit)(struct diff *, const void *, const void *))
{
	struct walk walk = *WALK_OF(d->want->routes, d->have->routes, route_compare, visit);

	if (d->plan.new_link)
		walk.have_count = 0;
	return walk_both(d, &walk);
}

int diff_routes_add(struct diff *d)
{
	return walk_routes(d, visit_add);
}

int diff_routes_remove(struct diff *d)
{
	return walk_routes(d, visit_remove);
}

int op_add_rule(struct plan *plan, bool is_add, const struct state_rule *rule)
{
	struct op *op = op_add(plan, is_add ? PHASE_ADD : PHASE_REMOVE,
			       is_add ? OP_RULE_ADD : OP_RULE_REMOVE, is_add ? "add" : "remove");

	if (!op)
		return -ENOMEM;
	op->args.rule = rule;
	return 0;
}

static int visit_new_rule(struct diff *d, const void *want, const void *have)
{
	return have ? 0 : op_add_rule(&d->plan, true, want);
}

static int visit_old_rule(struct diff *d, const void *want, const void *have)
{
	return want ? 0 : op_add_rule(&d->plan, false, have);
}

int diff_rules_add(struct diff *d)
{
	return walk_both(
		d, WALK_OF(d->want->rules, d->have->rules, state_rule_compare, visit_new_rule));
}

int diff_rules_remove(struct diff *d)
{
	return walk_both(
		d, WALK_OF(d->want->rules, d->have->rules, state_rule_compare, visit_old_rule));
}

static const struct state_sysctl *find_sysctl(const struct state *state, const char *path)
{
	const struct state_sysctl *sysctl;

	array_for_each(sysctl, &state->sysctls)
		if (!strcmp(sysctl->path, path))
			return sysctl;
	return NULL;
}

/* A new device has the kernel's own values, whatever the old one had. */
static bool is_on_new_link(const struct diff *d, const char *path)
{
	const char *name = strstr(path, "/conf/");
	size_t length = strlen(d->want->tunnel.name);

	if (!d->plan.new_link || !name)
		return false;
	name += strlen("/conf/");
	return !strncmp(name, d->want->tunnel.name, length) && name[length] == '/';
}

/* What is no longer wanted stays until `down`: others may have come to rely on it. */
int diff_sysctls(struct diff *d)
{
	const struct state_sysctl *want, *have;
	struct op *op;

	array_for_each(want, &d->want->sysctls) {
		have = find_sysctl(d->have, want->path);
		if (have && have->value == want->value && !is_on_new_link(d, want->path))
			continue;

		op = op_add(&d->plan, PHASE_ADD, OP_SYSCTL_SET, "set");
		if (!op)
			return -ENOMEM;
		op->args.sysctl = want;
	}
	return 0;
}
