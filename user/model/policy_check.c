// SPDX-License-Identifier: GPL-2.0-only
/* Names outside the grants, and the warnings. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "model/policy_parts.h"

/* Edit distances to ten thousand names take time; a person reads the first few suggestions. */
#define SUGGESTIONS_MAX 50

int policy_unknown(struct policy_builder *b, const char *place, const char *what, const char *text,
		   int kind)
{
	const char *near = NULL;

	if (b->problems->count < SUGGESTIONS_MAX)
		near = names_suggest(&b->names, text, kind);
	if (near)
		return problems_add(b->problems, place, "unknown %s \"%s\"; did you mean \"%s\"?",
				    what, text, near);
	return problems_add(b->problems, place, "unknown %s \"%s\"", what, text);
}

static bool is_node(const struct policy *policy, const char *name)
{
	const struct config_node *node;

	array_for_each(node, &policy->config->nodes)
		if (!strcmp(node->name, name))
			return true;
	return false;
}

static bool is_gateway(const struct policy *policy, const char *name)
{
	const struct config_gateway *gateway;

	array_for_each(gateway, &policy->config->gateways)
		if (!strcmp(gateway->name, name))
			return true;
	return false;
}

static int check_nodes(struct policy_builder *b, const struct config_texts *texts)
{
	const struct config_text *text;
	int r = 0;

	array_for_each(text, texts)
		if (!r && !is_node(b->policy, text->text))
			r = policy_unknown(b, text->place, "node", text->text, NAME_MEMBER);
	return r;
}

static bool is_member(const struct policy *policy, const char *name)
{
	const struct policy_member *member;

	array_for_each(member, &policy->members)
		if (!strcmp(member->name, name))
			return true;
	return false;
}

/* A peer may be a router too. */
static int check_members(struct policy_builder *b, const struct config_texts *texts)
{
	const struct config_text *text;
	int r = 0;

	array_for_each(text, texts)
		if (!r && !is_member(b->policy, text->text))
			r = policy_unknown(b, text->place, "node or peer", text->text, NAME_MEMBER);
	return r;
}

static int refuse_gateway(struct policy_builder *b, const struct config_peer *peer)
{
	AUTO_FREE char *place = mem_format("%s.gateway", peer->place);

	return place ? policy_unknown(b, place, "node or gateway", peer->gateway, NAME_MEMBER)
		     : -ENOMEM;
}

static int check_gateway_of_peers(struct policy_builder *b)
{
	const struct config_peer *peer;
	int r = 0;

	array_for_each(peer, &b->config->peers) {
		const char *name = peer->gateway;

		if (!r && name && !is_node(b->policy, name) && !is_gateway(b->policy, name))
			r = refuse_gateway(b, peer);
	}
	return r;
}

static int check_group(struct policy_builder *b, const struct config_group *group)
{
	const struct config_text *text;
	int r = 0;

	array_for_each(text, &group->members) {
		const struct name *name;
		size_t count;

		name = names_find(&b->names, text->text, &count);
		if (!r && (!name || name->kind > NAME_USER))
			r = policy_unknown(b, text->place, "user, peer or node", text->text,
					   NAME_MEMBER);
	}
	return r;
}

static int check_route(struct policy_builder *b, const struct config_route *route)
{
	bool v4 = prefix_is_v4(&route->prefix);
	int r;

	r = check_members(b, &route->via);
	if (!r && route->snat == SNAT_ADDRESS && addr_is_v4(&route->snat_addr) != v4)
		r = problems_add(b->problems, route->place,
				 "its snat address is not of the route's family, %s",
				 v4 ? "IPv4" : "IPv6");
	return r;
}

int policy_check_names(struct policy_builder *b)
{
	const struct config_gateway *gateway;
	const struct config_group *group;
	const struct config_route *route;
	int r;

	r = check_gateway_of_peers(b);
	array_for_each(gateway, &b->config->gateways)
		if (!r)
			r = check_nodes(b, &gateway->nodes);
	array_for_each(group, &b->config->groups)
		if (!r)
			r = check_group(b, group);
	array_for_each(route, &b->config->routes)
		if (!r)
			r = check_route(b, route);
	return r;
}
