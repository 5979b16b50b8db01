// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/observe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "kernel/nl.h"
#include "kernel/rt.h"
#include "kernel/rt_rule.h"
#include "kernel/sysctl.h"
#include "kernel/wg.h"

#define NANOSECONDS 1000000000

static int read_links(struct nl *nl, const char *instance, struct facts *facts, struct err *err)
{
	struct rt_links links = { 0 };
	struct rt_link *link;
	int r = rt_dump_links(nl, &links, err);

	array_for_each(link, &links) {
		struct facts_link *added = r ? NULL : array_add(&facts->links);

		if (!added) {
			r = r ? r : err_sys(err, -ENOMEM, "list network devices");
			break;
		}
		*added = link->facts;
		added->ours = rt_link_is_ours(link, instance);
	}

	array_clear(&links);
	return r;
}

static int read_addrs(struct nl *nl, struct facts *facts, struct err *err)
{
	struct rt_addrs addrs = { 0 };
	struct rt_addr *addr;
	int r = rt_dump_addrs(nl, &addrs, err);

	array_for_each(addr, &addrs) {
		struct facts_addr *added;

		if (r || addr->protocol == TP_RTPROT)
			continue;
		added = array_add(&facts->addrs);
		if (added)
			*added = addr->facts;
		else
			r = err_sys(err, -ENOMEM, "list addresses");
	}

	array_clear(&addrs);
	return r;
}

/* Another instance's have the same mark. */
static bool is_ours(const struct facts *facts, const struct rt_route *route)
{
	const struct facts_link *link;

	if (route->facts.protocol != TP_RTPROT)
		return false;
	link = facts_find_ifindex(facts, route->facts.ifindex);
	return link && link->ours;
}

/* A default route in our table is none of the machine's. */
static int note_the_machines(struct facts *facts, const struct rt_route *route)
{
	struct facts_route *added;

	if (route->table != STATE_TABLE_MAIN && prefix_is_default(&route->facts.prefix))
		return 0;
	added = array_add(&facts->routes);
	if (!added)
		return -ENOMEM;
	*added = route->facts;
	added->table = route->table == STATE_TABLE_MAIN ? 0 : route->table;
	return 0;
}

/* Leaves in `routes`, from the first on, those that are ours. */
static int split_routes(struct rt_routes *routes, size_t first, struct facts *facts)
{
	size_t i, kept = first;

	for (i = first; i < routes->count; i++) {
		const struct rt_route *route = &routes->items[i];

		if (is_ours(facts, route))
			routes->items[kept++] = *route;
		else if (note_the_machines(facts, route))
			return -ENOMEM;
	}
	routes->count = kept;
	return 0;
}

static int read_table(struct nl *nl, uint32_t table, struct facts *facts, struct rt_routes *ours,
		      struct err *err)
{
	size_t first = ours->count;
	int r = rt_dump_routes(nl, table, ours, err);

	if (!r && split_routes(ours, first, facts))
		r = err_sys(err, -ENOMEM, "list routes");
	return r;
}

static int read_behind(struct nl *nl, const struct rt_table *table, struct facts *facts,
		       struct err *err)
{
	struct rt_routes routes = { 0 };
	struct rt_route *route;
	int r = rt_dump_family(nl, table->family, table->id, &routes, err);

	array_for_each(route, &routes) {
		struct facts_route *added;

		if (r || prefix_is_default(&route->facts.prefix))
			continue;
		added = array_add(&facts->behind);
		if (added) {
			*added = route->facts;
			added->table = table->id;
		} else {
			r = err_sys(err, -ENOMEM, "list routes");
		}
	}
	array_clear(&routes);
	return r;
}

static int read_tables_behind(struct nl *nl, struct facts *facts, struct err *err)
{
	struct rt_tables tables = { 0 };
	const struct rt_table *table;
	int r = rt_dump_tables_behind(nl, TP_RULE_MESH_PRIORITY, &tables, err);

	facts->asks_behind = tables.count;
	array_for_each(table, &tables)
		if (!r)
			r = read_behind(nl, table, facts, err);
	array_clear(&tables);
	return r;
}

/* Ours are in both: an older version had them all in the main one. */
static int read_routes(struct nl *nl, struct facts *facts, struct rt_routes *ours, struct err *err)
{
	int r = read_table(nl, STATE_TABLE_MAIN, facts, ours, err);

	return r ? r : read_table(nl, TP_RT_TABLE, facts, ours, err);
}

/* What we look at of each device, and of "all". */
static const struct sysctl_kind {
	const char *family;
	const char *name;
} sysctl_kinds[] = {
	{ "ipv4", "forwarding" }, { "ipv4", "rp_filter" },        { "ipv6", "forwarding" },
	{ "ipv6", "accept_ra" },  { "ipv6", "force_forwarding" }, { "ipv6", "use_tempaddr" },
};

/* One that is not there is left out: an older kernel, or a device that has gone meanwhile. */
static int read_sysctl(const struct sysctl_kind *kind, const char *device, struct facts *facts,
		       struct err *err)
{
	struct facts_sysctl sysctl = { 0 };
	struct facts_sysctl *added;
	int r;

	snprintf(sysctl.path, sizeof(sysctl.path), "net/%s/conf/%s/%s", kind->family, device,
		 kind->name);
	r = sysctl_read(sysctl.path, &sysctl.value, err);
	if (r == -ENOENT)
		return 0;
	if (r)
		return r;

	added = array_add(&facts->sysctls);
	if (!added)
		return err_sys(err, -ENOMEM, "read sysctls");
	*added = sysctl;
	return 0;
}

static int read_sysctls_of(const char *device, struct facts *facts, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(sysctl_kinds); i++)
		r = read_sysctl(&sysctl_kinds[i], device, facts, err);
	return r;
}

static int read_sysctls(struct facts *facts, struct err *err)
{
	const struct facts_link *link;
	int r = read_sysctls_of("all", facts, err);

	array_for_each(link, &facts->links)
		if (!r)
			r = read_sysctls_of(link->name, facts, err);
	return r;
}

static bool has_force_forwarding(const struct facts *facts)
{
	const struct facts_sysctl *sysctl;

	array_for_each(sysctl, &facts->sysctls)
		if (!strcmp(sysctl->path, "net/ipv6/conf/all/force_forwarding"))
			return true;
	return false;
}

/* The coarse clock's resolution is one jiffy. */
static int read_clocks(struct facts *facts, struct err *err)
{
	struct timespec jiffy;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy))
		return err_sys(err, -errno, "find out how long a jiffy is");
	if (jiffy.tv_sec || jiffy.tv_nsec <= 0)
		return err_sys(err, -ERANGE, "find out how long a jiffy is");

	facts->hz = (uint32_t)((NANOSECONDS + jiffy.tv_nsec / 2) / jiffy.tv_nsec);
	facts->now = time(NULL);
	return 0;
}

static int read_facts(struct nl *nl, const char *instance, struct facts *facts,
		      struct rt_routes *ours, struct err *err)
{
	int r = read_links(nl, instance, facts, err);

	if (!r)
		r = read_addrs(nl, facts, err);
	if (!r)
		r = read_routes(nl, facts, ours, err);
	if (!r)
		r = read_tables_behind(nl, facts, err);
	if (!r)
		r = read_sysctls(facts, err);
	if (!r)
		r = wg_kernel_available(&facts->kernel_wireguard, err);
	if (!r)
		r = read_clocks(facts, err);
	facts->force_forwarding = has_force_forwarding(facts);
	return r;
}

int observe_facts(struct facts *out, struct rt_routes *ours, const char *instance, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	struct rt_routes unasked = { 0 };
	struct facts facts = { 0 };
	int r;

	r = nl_open(NETLINK_ROUTE, &nl, err);
	if (!r)
		r = read_facts(nl, instance, &facts, ours ? ours : &unasked, err);
	array_clear(&unasked);
	if (r) {
		facts_free(&facts);
		return err_wrap(err, r, "look at this machine");
	}

	*out = facts;
	return 0;
}
