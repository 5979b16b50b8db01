// SPDX-License-Identifier: GPL-2.0-only
/* Advertised routes: how they are carried and who approved them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/policy_parts.h"

static bool is_approved_by(const struct policy_builder *b, const struct config_texts *who,
			   uint32_t member)
{
	const struct config_text *text;

	array_for_each(text, who)
		if (names_mean_member(&b->names, b->policy, text->text, member))
			return true;
	return false;
}

/* A default route is approved by exit_node alone; no approver prefix contains it by accident. */
static bool is_approved(const struct policy_builder *b, const struct policy_route *route)
{
	const struct config_approver *approver;

	if (prefix_is_default(&route->prefix))
		return is_approved_by(b, &b->config->exit_approvers, route->member);

	array_for_each(approver, &b->config->route_approvers)
		if (prefix_contains(&approver->prefix, &route->prefix) &&
		    is_approved_by(b, &approver->who, route->member))
			return true;
	return false;
}

/* The entries of "routes", by prefix: there may be as many as there are advertised routes. */
struct settings {
	const struct config_route **sorted;
	size_t count;
};

static int settings_compare(const void *a, const void *b)
{
	const struct config_route *x = *(const struct config_route *const *)a;
	const struct config_route *y = *(const struct config_route *const *)b;

	return prefix_compare(&x->prefix, &y->prefix);
}

static int settings_build(const struct config *config, struct settings *out)
{
	size_t i;

	out->count = config->routes.count;
	out->sorted = mem_alloc(out->count + 1, sizeof(*out->sorted));
	if (!out->sorted)
		return -ENOMEM;

	for (i = 0; i < out->count; i++)
		out->sorted[i] = &config->routes.items[i];
	qsort(out->sorted, out->count, sizeof(*out->sorted), settings_compare);
	return 0;
}

static const struct config_route *settings_find(const struct settings *settings,
						const struct prefix *prefix)
{
	struct config_route key = { .prefix = *prefix };
	const struct config_route *wanted = &key;
	const struct config_route **found;

	found = bsearch(&wanted, settings->sorted, settings->count, sizeof(*settings->sorted),
			settings_compare);
	return found ? *found : NULL;
}

/* Who is not in "via" comes behind those who are, in the order of the file. */
static uint32_t rank_of(const struct config_route *how, const char *member)
{
	const struct config_text *text;
	uint32_t rank = 0;

	if (!how)
		return 0;
	array_for_each(text, &how->via) {
		if (!strcmp(text->text, member))
			break;
		rank++;
	}
	return rank;
}

static int add_route(struct policy_builder *b, const struct settings *settings, uint32_t member,
		     uint32_t index)
{
	const struct policy_member *from = &b->policy->members.items[member];
	const struct prefix *prefix = &from->advertised->items[index];
	struct policy_route *route = array_add(&b->policy->routes);
	const struct config_route *how = settings_find(settings, prefix);

	if (!route)
		return -ENOMEM;

	route->prefix = *prefix;
	route->member = member;
	route->index = index;
	route->rank = rank_of(how, from->name);
	route->approved = is_approved(b, route);
	route->snat = (uint8_t)(how ? how->snat : SNAT_MASQUERADE);
	if (route->snat == SNAT_ADDRESS)
		route->snat_addr = &how->snat_addr;
	return 0;
}

static int add_routes(struct policy_builder *b)
{
	const struct policy_member *members = b->policy->members.items;
	struct settings settings = { 0 };
	uint32_t i, j;
	int r;

	r = settings_build(b->config, &settings);
	for (i = 0; i < b->policy->members.count; i++)
		for (j = 0; !r && j < members[i].advertised->count; j++)
			r = add_route(b, &settings, i, j);
	free(settings.sorted);
	return r;
}

static int check_approvers(struct policy_builder *b, const struct config_texts *who)
{
	const struct config_text *text;
	int r = 0;

	array_for_each(text, who) {
		const struct name *name;
		size_t count;

		name = names_find(&b->names, text->text, &count);
		if (!r && (!name || name->kind > NAME_GROUP))
			r = policy_unknown(b, text->place, "node, peer, tag or group", text->text,
					   NAMES_ANY_KIND);
	}
	return r;
}

struct owned_addr {
	struct addr addr;
	const char *owner;
};

struct owned_addrs {
	ARRAY_OF(struct owned_addr);
};

static int owned_compare(const void *a, const void *b)
{
	const struct owned_addr *x = a, *y = b;

	return addr_compare(&x->addr, &y->addr);
}

static int owned_build(const struct policy *policy, struct owned_addrs *out)
{
	const struct policy_member *member;
	const struct addr *addr;

	array_for_each(member, &policy->members) {
		array_for_each(addr, member->addresses) {
			struct owned_addr *added = array_add(out);

			if (!added)
				return -ENOMEM;
			added->addr = *addr;
			added->owner = member->name;
		}
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), owned_compare);
	return 0;
}

/* Services have addresses in the mesh as well, and may share one. */
static int owned_add_services(const struct config *config, struct owned_addrs *out)
{
	const struct config_service *service;

	array_for_each(service, &config->services) {
		struct owned_addr *added = array_add(out);

		if (!added)
			return -ENOMEM;
		added->addr = service->vip;
		added->owner = service->name;
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), owned_compare);
	return 0;
}

static const char *owned_find(const struct owned_addrs *owned, const struct addr *addr)
{
	struct owned_addr key = { .addr = *addr };
	const struct owned_addr *found = NULL;

	if (owned->count)
		found = bsearch(&key, owned->items, owned->count, sizeof(key), owned_compare);
	return found ? found->owner : NULL;
}

char *policy_route_place(const struct policy *policy, const struct policy_route *route)
{
	return mem_format("%s.advertise_routes[%u]", policy->members.items[route->member].place,
			  route->index);
}

static int refuse_owned(struct policy_builder *b, const struct policy_route *route,
			const char *owner)
{
	AUTO_FREE char *place = policy_route_place(b->policy, route);

	return place ? problems_add(b->problems, place,
				    "is the mesh address of \"%s\", which needs no route", owner)
		     : -ENOMEM;
}

static int check_services(struct policy_builder *b, const struct owned_addrs *members)
{
	const struct config_service *service;
	int r = 0;

	array_for_each(service, &b->config->services) {
		const char *owner = owned_find(members, &service->vip);

		if (!r && owner)
			r = problems_add(b->problems, service->place,
					 "its vip is the mesh address of \"%s\"", owner);
	}
	return r;
}

/* A host route to a member's own address, or a service's, would have two owners. */
static int check_host_routes(struct policy_builder *b)
{
	const struct policy_route *route;
	struct owned_addrs owned = { 0 };
	int r;

	r = owned_build(b->policy, &owned);
	if (!r)
		r = check_services(b, &owned);
	if (!r)
		r = owned_add_services(b->config, &owned);
	array_for_each(route, &b->policy->routes) {
		const char *owner = NULL;

		if (!r && prefix_is_host(&route->prefix))
			owner = owned_find(&owned, &route->prefix.addr);
		if (owner)
			r = refuse_owned(b, route, owner);
	}
	array_clear(&owned);
	return r;
}

int policy_build_routes(struct policy_builder *b)
{
	const struct config_approver *approver;
	int r = 0;

	array_for_each(approver, &b->config->route_approvers)
		if (!r)
			r = check_approvers(b, &approver->who);
	if (!r)
		r = check_approvers(b, &b->config->exit_approvers);
	if (!r)
		r = add_routes(b);
	return r ? r : check_host_routes(b);
}
