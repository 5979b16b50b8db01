// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of a plan. The programs are attached before the tunnel comes up and before anything
 * forwards: until the switch they refuse all of the mesh, so there is no moment without a policy.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "plan/plan_parts.h"

static bool is_zero(const uint8_t hash[HASH_SIZE])
{
	static const uint8_t zero[HASH_SIZE];

	return !memcmp(hash, zero, HASH_SIZE);
}

static bool is_other_object(const struct diff *d)
{
	return d->have->older_abi ||
	       memcmp(d->want->object_hash, d->have->object_hash, HASH_SIZE) != 0;
}

static const char *load_verb(const struct diff *d)
{
	if (is_zero(d->have->object_hash))
		return "load";
	return is_other_object(d) ? "upgrade" : "grow";
}

static int load_programs(struct diff *d)
{
	if (!d->fresh)
		return 0;

	return op_add(&d->plan, PHASE_ADD, OP_PROGRAMS_LOAD, load_verb(d)) ? 0 : -ENOMEM;
}

static int set_limits(struct diff *d)
{
	if (!d->fresh && !memcmp(&d->want->limits, &d->have->limits, sizeof(d->want->limits)))
		return 0;

	return op_add(&d->plan, PHASE_ADD, OP_LIMITS_SET, "set") ? 0 : -ENOMEM;
}

static bool device_carries_alike(const struct tp_device *a, const struct tp_device *b)
{
	return a->mtu == b->mtu && !memcmp(&a->addr4, &b->addr4, sizeof(a->addr4)) &&
	       !memcmp(&a->addr6, &b->addr6, sizeof(a->addr6));
}

/* Flows learn of a new masquerade address or MTU when they are judged again. */
static bool devices_have_changed(const struct diff *d)
{
	const struct state_device *want, *have;

	array_for_each(want, &d->want->devices)
		array_for_each(have, &d->have->devices)
			if (!strcmp(want->name, have->name) &&
			    !device_carries_alike(&want->device, &have->device))
				return true;
	return false;
}

/* Services too: flows to a backend that is gone end when they are looked at again. */
static bool needs_switch(const struct diff *d)
{
	const struct state *want = d->want, *have = d->have;

	return d->fresh || d->plan.new_link || !have->generation ||
	       memcmp(want->tables.hash, have->tables.hash, HASH_SIZE) != 0 ||
	       devices_have_changed(d) || strcmp(want->node, have->node) != 0 ||
	       !socket_lb_serves_alike(&want->socket_lb, &have->socket_lb);
}

static bool is_another_file(const struct diff *d)
{
	return memcmp(d->want->policy_hash, d->have->policy_hash, HASH_SIZE) != 0;
}

/*
 * Before anything else changes: a policy that the programs do not judge right is refused here. So
 * is one with other tests of the grants that are in force.
 */
static int stage_policy(struct diff *d)
{
	bool stage = needs_switch(d);

	if (!stage && !(is_another_file(d) && d->want->tables.probes.count))
		return 0;

	return op_add(&d->plan, PHASE_ADD, stage ? OP_POLICY_STAGE : OP_POLICY_TEST,
		      stage ? "stage" : "test")
		       ? 0
		       : -ENOMEM;
}

/* The tables as a whole, or the name of the file when it means the same as before. */
static int switch_policy(struct diff *d)
{
	bool tables = needs_switch(d);

	if (!tables && !is_another_file(d))
		return 0;

	return op_add(&d->plan, PHASE_SWITCH, tables ? OP_POLICY_SWITCH : OP_POLICY_NOTE,
		      tables ? "switch" : "note")
		       ? 0
		       : -ENOMEM;
}

static int run_steps(struct diff *d)
{
	static int (*const steps[])(struct diff *) = {
		load_programs,
		stage_policy,
		diff_link_add,
		diff_devices_set,
		diff_infos_set,
		set_limits,
		diff_attach,
		diff_services_set,
		diff_tunnel_set,
		diff_peers_set,
		diff_infos_change,
		diff_addresses_add,
		diff_link_set,
		diff_sysctls,
		diff_routes_add,
		diff_rules_add,
		diff_lan_addresses_add,
		switch_policy,
		diff_routes_remove, /* before the rules: the second one alone puts them first */
		diff_rules_remove,
		diff_peers_remove,
		diff_addresses_remove,
		diff_lan_addresses_remove,
		diff_services_remove,
		diff_detach,
		diff_devices_remove,
		diff_infos_remove,
	};
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(steps); i++)
		r = steps[i](d);
	return r;
}

int plan_build(const struct state *want, const struct state *have, struct plan *out,
	       struct err *err)
{
	struct diff d = { .want = want, .have = have, .plan = { .want = want, .have = have } };
	int r;

	d.fresh = is_other_object(&d) || state_grows(want, have);
	d.plan.new_link = !have->tunnel.exists || want->tunnel.backend != have->tunnel.backend ||
			  strcmp(want->tunnel.name, have->tunnel.name) != 0;

	r = run_steps(&d);
	if (r) {
		plan_free(&d.plan);
		return err_set(err, r, "out of memory for the plan");
	}
	*out = d.plan;
	return 0;
}
