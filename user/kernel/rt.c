// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/nl.h"

static int no_room(struct err *err)
{
	return err_sys(err, -EMSGSIZE, "netlink");
}

/* Sends a message that a put function made; NULL is one that did not fit. */
static int request(struct nl *nl, struct nlmsghdr *msg, struct err *err)
{
	return msg ? nl_request(nl, msg, err) : no_room(err);
}

/* ---- reading ----------------------------------------------------------------------------- */

static int take_link(const struct nlmsghdr *msg, void *data)
{
	struct rt_links *links = data;
	struct rt_link *added;
	struct rt_link link;
	int r = rt_read_link(msg, &link);

	if (r)
		return r;
	added = array_add(links);
	if (!added)
		return -ENOMEM;
	*added = link;
	return 0;
}

static void forget_links(void *data)
{
	struct rt_links *links = data;

	array_clear(links);
}

int rt_dump_links(struct nl *nl, struct rt_links *out, struct err *err)
{
	struct nl_reader reader = { .read = take_link, .restart = forget_links, .data = out };
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_link_dump(&buf, sizeof(buf));
	int r = msg ? nl_dump(nl, msg, &reader, err) : no_room(err);

	return r ? err_wrap(err, r, "list network devices") : 0;
}

static int take_addr(const struct nlmsghdr *msg, void *data)
{
	struct rt_addrs *addrs = data;
	struct rt_addr *added;
	struct rt_addr addr;
	int r = rt_read_addr(msg, &addr);

	if (r)
		return r == -EAFNOSUPPORT ? 0 : r;
	added = array_add(addrs);
	if (!added)
		return -ENOMEM;
	*added = addr;
	return 0;
}

static void forget_addrs(void *data)
{
	struct rt_addrs *addrs = data;

	array_clear(addrs);
}

int rt_dump_addrs(struct nl *nl, struct rt_addrs *out, struct err *err)
{
	struct nl_reader reader = { .read = take_addr, .restart = forget_addrs, .data = out };
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_addr_dump(&buf, sizeof(buf));
	int r = msg ? nl_dump(nl, msg, &reader, err) : no_room(err);

	return r ? err_wrap(err, r, "list addresses") : 0;
}

/* A dump of routes: kernels filter only when they know how to. */
struct route_dump {
	uint32_t table;
	uint8_t family;
	struct rt_routes *out;
	size_t before; /* what out held when the dump began */
};

static bool is_wanted(const struct route_dump *dump, const struct rt_route *route)
{
	/* a kernel without IPv6 answers a question about IPv6 with all families it has */
	return route->family == dump->family && route->table == dump->table;
}

static int take_route(const struct nlmsghdr *msg, void *data)
{
	struct route_dump *dump = data;
	struct rt_route *added;
	struct rt_route route;
	int r = rt_read_route(msg, &route);

	if (r)
		return r == -EAFNOSUPPORT ? 0 : r;
	if (!is_wanted(dump, &route))
		return 0;
	added = array_add(dump->out);
	if (!added)
		return -ENOMEM;
	*added = route;
	return 0;
}

static void forget_routes(void *data)
{
	struct route_dump *dump = data;

	dump->out->count = dump->before;
}

int rt_dump_family(struct nl *nl, uint8_t family, uint32_t table, struct rt_routes *out,
		   struct err *err)
{
	struct route_dump dump = {
		.table = table, .family = family, .out = out, .before = out->count
	};
	struct nl_reader reader = { .read = take_route, .restart = forget_routes, .data = &dump };
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_route_dump(&buf, sizeof(buf), family, table);
	int r = msg ? nl_dump(nl, msg, &reader, err) : no_room(err);

	if (r == -ENOENT) /* the table is made with its first route: there are none */
		return 0;
	return r ? err_wrap(err, r, "list routes") : 0;
}

int rt_dump_routes(struct nl *nl, uint32_t table, struct rt_routes *out, struct err *err)
{
	int r = rt_dump_family(nl, AF_INET, table, out, err);

	return r ? r : rt_dump_family(nl, AF_INET6, table, out, err);
}

static int take_one_link(const struct nlmsghdr *msg, void *data)
{
	return rt_read_link(msg, data);
}

int rt_find_link(struct nl *nl, const char *name, struct rt_link *out, struct err *err)
{
	struct rt_link found = { 0 };
	struct nl_reader reader = { .read = take_one_link, .data = &found };
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_link_get(&buf, sizeof(buf), name);
	int r = msg ? nl_get(nl, msg, &reader, err) : no_room(err);

	if (!r && !found.facts.ifindex)
		r = err_sys(err, -ENODEV, "no answer");
	if (r)
		return err_wrap(err, r, "device %s", name);

	*out = found;
	return 0;
}

static int take_path(const struct nlmsghdr *msg, void *data)
{
	return rt_read_path(msg, data);
}

int rt_find_path(struct nl *nl, const struct addr *to, struct rt_path *out, struct err *err)
{
	struct rt_path found = { 0 };
	struct nl_reader reader = { .read = take_path, .data = &found };
	char text[ADDR_TEXT_SIZE];
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_route_lookup(&buf, sizeof(buf), to);
	int r = msg ? nl_get(nl, msg, &reader, err) : no_room(err);

	if (!r && !found.ifindex)
		r = err_sys(err, -ENETUNREACH, "no answer");
	if (r)
		return err_wrap(err, r, "look up the route to %s", addr_put(text, to));

	*out = found;
	return 0;
}

/* ---- links ------------------------------------------------------------------------------- */

const char *rt_alias_put(char *buf, const char *instance)
{
	snprintf(buf, RT_ALIAS_SIZE, RT_ALIAS_PREFIX "%s", instance);
	return buf;
}

bool rt_link_is_ours(const struct rt_link *link, const char *instance)
{
	char alias[RT_ALIAS_SIZE];

	return !strcmp(link->alias, rt_alias_put(alias, instance));
}

/* Alias and group change in one message: at no moment does the device carry neither mark. */
static int finish_link(struct nl *nl, const struct rt_link *link, const char *instance,
		       struct err *err)
{
	char alias[RT_ALIAS_SIZE];
	struct rt_link_change change = { .alias = rt_alias_put(alias, instance),
					 .reset_group = true };

	return rt_change_link(nl, link, &change, err);
}

int rt_claim_link(struct nl *nl, const char *name, const char *kind, const char *instance,
		  struct err *err)
{
	struct rt_link link = { 0 };
	int r = rt_find_link(nl, name, &link, err);

	if (r)
		return r;
	if (strcmp(link.facts.kind, kind))
		return err_set(err, -EEXIST, "device %s exists and is of kind %s, not %s", name,
			       *link.facts.kind ? link.facts.kind : "none", kind);
	if (rt_link_is_ours(&link, instance))
		return 0;
	if (*link.alias || link.group != RT_GROUP_UNFINISHED)
		return err_set(err, -EEXIST,
			       "device %s exists and is not ours (alias \"%s\"): choose another "
			       "tunnel.interface or remove it",
			       name, link.alias);
	return finish_link(nl, &link, instance, err);
}

int rt_add_link(struct nl *nl, const char *name, const char *kind, const char *instance,
		struct err *err)
{
	union nl_message buf;
	int r;

	r = request(nl, rt_put_link_add(&buf, sizeof(buf), name, kind, RT_GROUP_UNFINISHED), err);
	if (!r || r == -EEXIST) /* adding twice is how we converge, if it is ours */
		return rt_claim_link(nl, name, kind, instance, err);
	return err_wrap(err, r, "create %s device %s", kind, name);
}

int rt_change_link(struct nl *nl, const struct rt_link *link, const struct rt_link_change *change,
		   struct err *err)
{
	union nl_message buf;
	int r = request(nl, rt_put_link_change(&buf, sizeof(buf), link->facts.ifindex, change),
			err);

	return r ? err_wrap(err, r, "change device %s", link->facts.name) : 0;
}

int rt_remove_link(struct nl *nl, const struct rt_link *link, struct err *err)
{
	union nl_message buf;
	int r = request(nl, rt_put_link_remove(&buf, sizeof(buf), link->facts.ifindex), err);

	if (!r || r == -ENODEV) /* gone is what was wanted */
		return 0;
	return err_wrap(err, r, "remove device %s", link->facts.name);
}

/* ---- addresses --------------------------------------------------------------------------- */

int rt_add_addr(struct nl *nl, uint32_t ifindex, const struct addr *addr, struct err *err)
{
	char text[ADDR_TEXT_SIZE];
	union nl_message buf;
	int r = request(nl, rt_put_addr_add(&buf, sizeof(buf), ifindex, addr), err);

	if (!r || r == -EEXIST) /* adding twice is how we converge */
		return 0;
	return err_wrap(err, r, "add address %s", addr_put(text, addr));
}

int rt_remove_addr(struct nl *nl, uint32_t ifindex, const struct addr *addr, struct err *err)
{
	char text[ADDR_TEXT_SIZE];
	union nl_message buf;
	int r = request(nl, rt_put_addr_remove(&buf, sizeof(buf), ifindex, addr), err);

	if (!r || r == -EADDRNOTAVAIL || r == -ENODEV) /* gone is what was wanted */
		return 0;
	return err_wrap(err, r, "remove address %s", addr_put(text, addr));
}

/* ---- routes ------------------------------------------------------------------------------ */

/* Whether two routes cannot be in one table at once. */
static bool is_same_key(const struct rt_route *route, const struct state_route *ours)
{
	return route->facts.metric == ours->metric &&
	       prefix_is_equal(&route->facts.prefix, &ours->prefix);
}

static int refuse_foreign(const struct rt_route *route, struct err *err)
{
	char device[IF_NAMESIZE] = "no device";

	if (route->facts.ifindex)
		if_indextoname(route->facts.ifindex, device); /* vanished meanwhile: as it is */
	if (route->facts.protocol == TP_RTPROT)
		return err_set(
			err, -EEXIST,
			"another instance of towpath has a route there (through %s), which is "
			"left alone",
			device);
	return err_set(err, -EEXIST,
		       "the machine has a route of its own there (through %s, protocol %u), which "
		       "is left alone",
		       device, route->facts.protocol);
}

static bool is_ours(const struct rt_route *route, uint32_t tunnel_ifindex)
{
	return route->facts.protocol == TP_RTPROT && route->facts.ifindex == tunnel_ifindex;
}

/* Refuses if a route in the way of ours is somebody else's. */
static int check_owner(struct nl *nl, uint32_t ifindex, const struct state_route *ours,
		       struct err *err)
{
	struct rt_routes routes = { 0 };
	const struct rt_route *route;
	int r;

	r = rt_dump_routes(nl, ours->table, &routes, err);
	array_for_each(route, &routes)
		if (!r && is_same_key(route, ours) && !is_ours(route, ifindex))
			r = refuse_foreign(route, err);
	array_clear(&routes);
	return r;
}

int rt_add_route(struct nl *nl, uint32_t ifindex, const struct state_route *route, struct err *err)
{
	char text[PREFIX_TEXT_SIZE];
	union nl_message buf;
	int r;

	r = request(nl, rt_put_route_add(&buf, sizeof(buf), ifindex, route, NLM_F_EXCL), err);
	if (r == -EEXIST) {
		r = check_owner(nl, ifindex, route, err);
		if (!r)
			r = request(
				nl,
				rt_put_route_add(&buf, sizeof(buf), ifindex, route, NLM_F_REPLACE),
				err);
	}
	return r ? err_wrap(err, r, "add route %s", prefix_put(text, &route->prefix)) : 0;
}

int rt_remove_route(struct nl *nl, uint32_t ifindex, const struct state_route *route,
		    struct err *err)
{
	char text[PREFIX_TEXT_SIZE];
	union nl_message buf;
	int r = request(nl, rt_put_route_remove(&buf, sizeof(buf), ifindex, route), err);

	if (!r || r == -ESRCH || r == -ENODEV) /* gone is what was wanted */
		return 0;
	return err_wrap(err, r, "remove route %s", prefix_put(text, &route->prefix));
}
