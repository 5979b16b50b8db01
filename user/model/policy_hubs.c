// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is reached through whom. A node with `via` hangs below its hub, a peer below the node that
 * it connects to; what hangs below nothing is a direct peer of all the others that do not either.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "model/policy_parts.h"

#define CYCLE_TEXT_SIZE 400 /* a longer way round is cut short */

/* The node's index among the members; POLICY_NO_HUB when nobody has the name, or a peer has. */
static uint32_t find_node(const struct policy_builder *b, const char *text)
{
	const struct name *name;
	size_t count;

	name = names_find(&b->names, text, &count);
	if (!name || name->kind != NAME_MEMBER || !b->policy->members.items[name->index].node)
		return POLICY_NO_HUB;
	return name->index;
}

/* ---- nodes ---- */

static bool is_member(const struct policy_builder *b, const char *text)
{
	const struct name *name;
	size_t count;

	name = names_find(&b->names, text, &count);
	return name && name->kind == NAME_MEMBER;
}

static int set_hub_of_node(struct policy_builder *b, struct policy_member *member)
{
	const struct config_text *via = &member->node->via;
	uint32_t hub;

	if (!via->text)
		return 0;
	hub = find_node(b, via->text);
	if (hub == POLICY_NO_HUB && is_member(b, via->text))
		return problems_add(b->problems, via->place,
				    "\"%s\" is a peer, and only a node can pass packets on",
				    via->text);
	if (hub == POLICY_NO_HUB)
		return policy_unknown(b, via->place, "node", via->text, NAME_MEMBER);
	if (&b->policy->members.items[hub] == member)
		return problems_add(b->problems, via->place,
				    "\"%s\" cannot be reached through itself", via->text);
	member->hub = hub;
	return 0;
}

/* A gateway's endpoint leads to each of its nodes. */
static bool has_endpoint(const struct config *config, const struct policy_member *member)
{
	const struct config_gateway *gateway;
	const struct config_text *node;

	if (member->endpoint->host)
		return true;
	array_for_each(gateway, &config->gateways)
		array_for_each(node, &gateway->nodes)
			if (gateway->endpoint.host && !strcmp(node->text, member->name))
				return true;
	return false;
}

static int check_contact(struct policy_builder *b, const struct policy_member *member)
{
	const struct policy_member *hub = &b->policy->members.items[member->hub];

	if (has_endpoint(b->config, hub) || has_endpoint(b->config, member))
		return 0;
	return problems_add(b->problems, member->node->via.place,
			    "neither \"%s\" nor its hub \"%s\" has an endpoint, so neither can "
			    "call the other: give the hub one",
			    member->name, hub->name);
}

/* "a" via "b" via "a"; buf of CYCLE_TEXT_SIZE. */
static const char *put_cycle(char *buf, const struct policy_member *members, uint32_t first)
{
	uint32_t at = first;
	size_t used = 0;

	do {
		used += (size_t)snprintf(buf + used, CYCLE_TEXT_SIZE - used, "\"%s\" via ",
					 members[at].name);
		at = members[at].hub;
	} while (at != first && used < CYCLE_TEXT_SIZE);
	if (used < CYCLE_TEXT_SIZE)
		snprintf(buf + used, CYCLE_TEXT_SIZE - used, "\"%s\"", members[first].name);
	return buf;
}

/* Whether the hubs lead back to the node, which is the first in the file of all on the way. */
static bool begins_cycle(const struct policy *policy, uint32_t first)
{
	const struct policy_member *members = policy->members.items;
	uint32_t at = members[first].hub;
	size_t steps = 0;

	/* the way may lead into a cycle that the node itself is not in */
	while (at != POLICY_NO_HUB && at > first && steps++ < policy->members.count)
		at = members[at].hub;
	return at == first;
}

static int check_cycle(struct policy_builder *b, uint32_t index)
{
	const struct policy_member *members = b->policy->members.items;
	char text[CYCLE_TEXT_SIZE];

	if (!begins_cycle(b->policy, index))
		return 0;
	return problems_add(b->problems, members[index].node->via.place,
			    "the way leads in a circle, %s: one of them must do without \"via\"",
			    put_cycle(text, members, index));
}

static int check_nodes(struct policy_builder *b)
{
	const struct policy_member *member;
	uint32_t i;
	int r = 0;

	array_for_each(member, &b->policy->members)
		if (!r && member->node && member->hub != POLICY_NO_HUB)
			r = check_contact(b, member);
	for (i = 0; !r && i < b->config->nodes.count; i++)
		r = check_cycle(b, i);
	return r;
}

/* ---- peers ---- */

/* The one node that can be called; POLICY_NO_HUB when there are others, or a gateway. */
static uint32_t find_only_entrance(const struct policy_builder *b)
{
	const struct config_gateway *gateway;
	uint32_t found = POLICY_NO_HUB;
	size_t i;

	array_for_each(gateway, &b->config->gateways)
		if (gateway->endpoint.host)
			return POLICY_NO_HUB;
	for (i = 0; i < b->config->nodes.count; i++) {
		if (!b->policy->members.items[i].endpoint->host)
			continue;
		if (found != POLICY_NO_HUB)
			return POLICY_NO_HUB;
		found = (uint32_t)i;
	}
	return found;
}

/* A peer that can itself be called is called by every node, unless the file says otherwise. */
static void set_hubs_of_peers(struct policy_builder *b)
{
	uint32_t entrance = find_only_entrance(b);
	struct policy_member *member;

	array_for_each(member, &b->policy->members) {
		if (member->node)
			continue;
		if (member->gateway)
			member->hub = find_node(b, member->gateway); /* it may be a gateway */
		else if (!member->endpoint->host)
			member->hub = entrance;
	}
}

int policy_build_hubs(struct policy_builder *b)
{
	struct policy_member *member;
	int r = 0;

	array_for_each(member, &b->policy->members)
		member->hub = POLICY_NO_HUB;
	array_for_each(member, &b->policy->members)
		if (!r && member->node)
			r = set_hub_of_node(b, member);
	if (r)
		return r;
	set_hubs_of_peers(b);
	return check_nodes(b);
}

uint32_t policy_next_hop(const struct policy *policy, const struct policy_member *self,
			 uint32_t index)
{
	const struct policy_member *members = policy->members.items;
	uint32_t here = (uint32_t)(self - members);
	uint32_t at = index;

	while (members[at].hub != POLICY_NO_HUB && members[at].hub != here)
		at = members[at].hub;
	if (members[at].hub == here || self->hub == POLICY_NO_HUB)
		return at;
	return self->hub;
}
