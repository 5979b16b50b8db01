// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "kernel/nl.h"
#include "kernel/observe.h"
#include "kernel/rt.h"
#include "kernel/rt_rule.h"
#include "towpath/layout.h"

/* A rule has no device whose mark would tell of which instance it is. */
static int look_who_uses_them(struct nl *nl, bool *used, struct err *err)
{
	struct rt_routes routes = { 0 };
	int r = rt_dump_routes(nl, TP_RT_TABLE, &routes, err);

	*used = routes.count;
	array_clear(&routes);
	return r;
}

static int take_rules(struct state *have, const struct rt_rules *rules, struct err *err)
{
	const struct state_rule *rule;

	array_for_each(rule, rules) {
		struct state_rule *added = array_add(&have->rules);

		if (!added)
			return err_sys(err, -ENOMEM, "list rules of policy routing");
		*added = *rule;
	}
	if (have->rules.count)
		qsort(have->rules.items, have->rules.count, sizeof(struct state_rule),
		      state_rule_compare);
	return 0;
}

int observe_rules(struct state *have, struct err *err)
{
	struct rt_rules rules = { 0 };
	AUTO_NL struct nl *nl = NULL;
	bool others = false;
	int r = nl_open(NETLINK_ROUTE, &nl, err);

	if (!r)
		r = rt_dump_rules(nl, &rules, err);
	if (!r && rules.count && !have->exists)
		r = look_who_uses_them(nl, &others, err);
	if (!r && !others)
		r = take_rules(have, &rules, err);
	array_clear(&rules);
	return r;
}
