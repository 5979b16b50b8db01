// SPDX-License-Identifier: GPL-2.0-only
#include "model/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/expiry.h"
#include "model/policy_parts.h"

static int add_node(struct policy *policy, const struct config_node *node)
{
	struct policy_member *member = array_add(&policy->members);

	if (!member)
		return -ENOMEM;

	member->name = node->name;
	member->place = node->place;
	member->public_key = &node->public_key;
	member->addresses = &node->addresses;
	member->tags = &node->tags;
	member->endpoint = &node->endpoint;
	member->advertised = &node->advertise_routes;
	member->keepalive = node->persistent_keepalive;
	member->node = node;
	return 0;
}

static int add_peer(struct policy *policy, const struct config_peer *peer)
{
	struct policy_member *member = array_add(&policy->members);

	if (!member)
		return -ENOMEM;

	member->name = peer->name;
	member->place = peer->place;
	member->public_key = &peer->public_key;
	member->addresses = &peer->addresses;
	member->tags = &peer->tags;
	member->endpoint = &peer->endpoint;
	member->advertised = &peer->advertise_routes;
	member->user = peer->user;
	member->preshared_key_file = peer->preshared_key_file;
	member->keepalive = peer->persistent_keepalive;
	member->gateway = peer->gateway;
	member->mtu = peer->mtu;
	member->key_expiry = peer->key_expiry;
	return 0;
}

static int add_members(struct policy *policy)
{
	const struct config_node *node;
	const struct config_peer *peer;
	int r = 0;

	array_for_each(node, &policy->config->nodes)
		if (!r)
			r = add_node(policy, node);
	array_for_each(peer, &policy->config->peers)
		if (!r)
			r = add_peer(policy, peer);
	return r;
}

static int build(struct policy_builder *b)
{
	int r;

	r = policy_check_names(b);
	if (!r)
		r = policy_build_hubs(b);
	if (!r)
		r = policy_build_routes(b);
	if (!r)
		r = policy_build_sets(b);
	if (!r)
		r = policy_build_rules(b);
	if (!r)
		r = policy_build_assertions(b);
	return r;
}

int policy_build(const struct config *config, struct policy **out, struct problems *problems)
{
	struct policy_builder b = { .config = config, .problems = problems };
	size_t before = problems->count;
	int r = -ENOMEM;

	b.policy = mem_alloc(1, sizeof(*b.policy));
	if (!b.policy)
		return -ENOMEM;

	b.policy->config = config;
	r = add_members(b.policy);
	if (!r)
		r = names_build(b.policy, &b.names);
	if (!r)
		r = build(&b);
	if (!r && problems->count != before)
		r = -EINVAL;
	array_clear(&b.names);

	if (r)
		policy_free(b.policy);
	else
		*out = b.policy;
	return r;
}

void policy_rule_clear(struct policy_rule *rule)
{
	array_clear(&rule->src);
	array_clear(&rule->dst);
	array_clear(&rule->matches);
}

void policy_free(struct policy *policy)
{
	struct policy_rule *rule;
	struct policy_set *set;

	if (!policy)
		return;

	array_for_each(set, &policy->sets) {
		array_clear(&set->ranges);
		free(set->complaint);
	}
	array_for_each(rule, &policy->rules)
		policy_rule_clear(rule);
	array_clear(&policy->members);
	array_clear(&policy->routes);
	array_clear(&policy->sets);
	array_clear(&policy->rules);
	array_clear(&policy->assertions);
	free(policy);
}

const struct policy_member *policy_find_self(const struct policy *policy, const char *node_name,
					     const struct key *public_key)
{
	const struct policy_member *member, *found = NULL;

	array_for_each(member, &policy->members) {
		if (!member->node)
			continue;
		if (node_name ? strcmp(member->name, node_name)
			      : !key_is_equal(member->public_key, public_key))
			continue;
		if (found)
			return NULL;
		found = member;
	}
	return found;
}

bool policy_member_is_expired(const struct policy_member *member, int64_t now)
{
	return expiry_judge(member->key_expiry, now) == EXPIRY_PAST;
}

int64_t policy_next_date(const struct policy *policy, int64_t now)
{
	const struct policy_member *member;
	int64_t next = INT64_MAX;

	array_for_each(member, &policy->members) {
		int64_t date = expiry_next(member->key_expiry, now);

		if (date < next)
			next = date;
	}
	return next;
}
