// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan of `down`. The tunnel goes before the programs that guard it: the other way round it
 * would forward whatever comes for a moment.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan/plan_parts.h"

static int remove_routes(struct plan *plan, const struct state *have)
{
	const struct state_route *route;
	struct op *op;

	array_for_each(route, &have->routes) {
		op = op_add(plan, PHASE_REMOVE, OP_ROUTE_REMOVE, "remove");
		if (!op)
			return -ENOMEM;
		op->args.route = route;
	}
	return 0;
}

static int remove_rules(struct plan *plan, const struct state *have)
{
	const struct state_rule *rule;
	int r = 0;

	array_for_each(rule, &have->rules)
		if (!r)
			r = op_add_rule(plan, false, rule);
	return r;
}

static int remove_lan_addresses(struct plan *plan, const struct state *have)
{
	const struct state_lan_address *address;
	int r = 0;

	array_for_each(address, &have->lan_addresses)
		if (!r)
			r = op_add_lan_address(plan, false, address);
	return r;
}

static int remove_link(struct plan *plan, const struct state *have)
{
	if (!have->tunnel.exists)
		return 0;
	return op_add(plan, PHASE_REMOVE, OP_LINK_REMOVE, "remove") ? 0 : -ENOMEM;
}

static int detach_all(struct plan *plan, const struct state *have)
{
	const struct state_attachment *attachment;
	struct op *op;

	array_for_each(attachment, &have->attachments) {
		op = op_add(plan, PHASE_REMOVE, OP_DETACH, "detach");
		if (!op)
			return -ENOMEM;
		op->args.attachment = attachment;
	}
	return 0;
}

static int detach_sockets(struct plan *plan, const struct state *have)
{
	int r = op_add_socket_detach(plan, &have->socket_lb, SOCKET_SET_HIDE);

	return r ? r : op_add_socket_detach(plan, &have->socket_lb, SOCKET_SET_LB);
}

static bool is_accept_ra(const struct state_sysctl *sysctl)
{
	const char *name = strrchr(sysctl->path, '/');

	return name && !strcmp(name, "/accept_ra");
}

/* The tunnel's own go with it; one that somebody has changed since is no longer ours. */
static bool must_restore(const struct state *have, const struct state_sysctl *sysctl)
{
	char device[IF_NAMESIZE + sizeof("/conf//")];

	snprintf(device, sizeof(device), "/conf/%s/", have->tunnel.name);
	if (have->tunnel.exists && strstr(sysctl->path, device))
		return false;
	return sysctl->saved && sysctl->value == sysctl->set;
}

static int restore_some(struct plan *plan, const struct state *have, bool accept_ra)
{
	struct op *op;
	size_t i;

	for (i = have->sysctls.count; i-- > 0;) {
		const struct state_sysctl *sysctl = &have->sysctls.items[i];

		if (!must_restore(have, sysctl) || is_accept_ra(sysctl) != accept_ra)
			continue;
		op = op_add(plan, PHASE_REMOVE, OP_SYSCTL_RESTORE, "restore");
		if (!op)
			return -ENOMEM;
		op->args.sysctl = sysctl;
	}
	return 0;
}

/*
 * In reverse, but have comes out of a hash map in any order: accept_ra goes last, or a machine
 * that still forwards would stop listening to its router.
 */
static int restore_sysctls(struct plan *plan, const struct state *have)
{
	int r = restore_some(plan, have, false);

	return r ? r : restore_some(plan, have, true);
}

static int remove_programs(struct plan *plan, const struct state *have)
{
	if (!have->exists)
		return 0;
	return op_add(plan, PHASE_REMOVE, OP_PROGRAMS_REMOVE, "remove") ? 0 : -ENOMEM;
}

int plan_build_down(const struct state *have, struct plan *out, struct err *err)
{
	static int (*const steps[])(struct plan *, const struct state *) = {
		remove_routes, remove_rules,   remove_link,     remove_lan_addresses,
		detach_all,    detach_sockets, restore_sysctls, remove_programs,
	};
	struct plan plan = { .have = have };
	size_t i;
	int r = 0;

	for (i = 0; !r && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = steps[i](&plan, have);
	if (r) {
		plan_free(&plan);
		return err_set(err, r, "out of memory for the plan");
	}
	*out = plan;
	return 0;
}
