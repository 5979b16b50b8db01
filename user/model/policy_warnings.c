// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/expiry.h"
#include "model/policy.h"
#include "model/policy_parts.h"

static int warn_unapproved(const struct policy *policy, const struct policy_route *route,
			   struct problems *out)
{
	AUTO_FREE char *place = policy_route_place(policy, route);
	char text[PREFIX_TEXT_SIZE];

	if (!place)
		return -ENOMEM;
	return problems_add(out, place,
			    "%s is advertised but not approved: no entry of "
			    "\"auto_approvers\" names \"%s\" for it",
			    prefix_put(text, &route->prefix),
			    policy->members.items[route->member].name);
}

static int warn_all_unapproved(const struct policy *policy, struct problems *out)
{
	const struct policy_route *route;
	int r = 0;

	array_for_each(route, &policy->routes)
		if (!r && !route->approved)
			r = warn_unapproved(policy, route, out);
	return r;
}

static int prefix_order(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

/* The prefixes that somebody advertises, sorted; the caller's, NULL when memory is out. */
static struct prefix *sort_advertised(const struct policy *policy)
{
	size_t i, count = policy->routes.count;
	struct prefix *sorted = mem_alloc(count + 1, sizeof(*sorted));

	if (!sorted)
		return NULL;

	for (i = 0; i < count; i++)
		sorted[i] = policy->routes.items[i].prefix;
	qsort(sorted, count, sizeof(*sorted), prefix_order);
	return sorted;
}

static int warn_idle_routes(const struct policy *policy, struct problems *out)
{
	AUTO_FREE struct prefix *advertised = sort_advertised(policy);
	const struct config_route *route;
	char text[PREFIX_TEXT_SIZE];
	int r = advertised ? 0 : -ENOMEM;

	array_for_each(route, &policy->config->routes) {
		if (r || bsearch(&route->prefix, advertised, policy->routes.count,
				 sizeof(*advertised), prefix_order))
			continue;
		r = problems_add(out, route->place, "nobody advertises %s",
				 prefix_put(text, &route->prefix));
	}
	return r;
}

static bool any_set_has_family(const struct policy *policy, const uint32_t *sets, size_t count,
			       bool v4)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (ranges_has_family(&policy->sets.items[sets[i]].ranges, v4))
			return true;
	return false;
}

static bool can_match(const struct policy *policy, const struct policy_rule *rule)
{
	int v4;

	for (v4 = 0; v4 < 2; v4++)
		if (any_set_has_family(policy, rule->src.items, rule->src.count, v4) &&
		    any_set_has_family(policy, rule->dst.items, rule->dst.count, v4))
			return true;
	return false;
}

/* What the programs pass over to find the protocol of an IPv6 packet (RFC 8200 4.1). */
static bool is_extension_header(const struct config_match *match)
{
	if (match->any || match->both)
		return false;
	return match->proto == IPPROTO_HOPOPTS || match->proto == IPPROTO_ROUTING ||
	       match->proto == IPPROTO_FRAGMENT || match->proto == IPPROTO_AH ||
	       match->proto == IPPROTO_DSTOPTS;
}

static int warn_extension_headers(const struct policy *policy, struct problems *out)
{
	const struct config_grant *grant;
	const struct config_match *match;
	int r = 0;

	array_for_each(grant, &policy->config->grants)
		array_for_each(match, &grant->ip)
			if (!r && is_extension_header(match))
				r = problems_add(out, grant->place,
						 "proto:%u is an extension header in IPv6: it "
						 "matches in IPv4 alone",
						 match->proto);
	return r;
}

static int warn_rules(const struct policy *policy, struct problems *out)
{
	const struct policy_rule *rule;
	int r = 0;

	array_for_each(rule, &policy->rules)
		if (!r && !can_match(policy, rule))
			r = problems_add(out, policy->config->grants.items[rule->grant].place,
					 "its src and dst share no address family: "
					 "it never matches");
	return r;
}

static bool has_spokes(const struct config *config)
{
	const struct config_node *node;

	array_for_each(node, &config->nodes)
		if (node->via.text)
			return true;
	return false;
}

static bool is_undecided(const struct policy_member *member)
{
	return !member->node && member->hub == POLICY_NO_HUB && !member->endpoint->host &&
	       !member->gateway;
}

/* A hub takes such a peer for its own, and no packet of it from another node. */
static int warn_undecided_peers(const struct policy *policy, struct problems *out)
{
	bool spokes = has_spokes(policy->config);
	const struct policy_member *member;
	int r = 0;

	array_for_each(member, &policy->members)
		if (!r && spokes && is_undecided(member))
			r = problems_add(out, member->place,
					 "nobody can tell which node it connects to, and what "
					 "is behind a hub reaches it there alone: name the node "
					 "in its \"gateway\"");
	return r;
}

static int warn_key(const struct policy_member *member, int64_t now, struct problems *out)
{
	AUTO_FREE char *place = mem_format("%s.key_expiry", member->place);
	char text[EXPIRY_TEXT_SIZE];

	if (!place)
		return -ENOMEM;
	expiry_put(text, member->key_expiry, now);
	if (expiry_judge(member->key_expiry, now) == EXPIRY_PAST)
		return problems_add(out, place,
				    "%s: the peer is refused; give it a new key and a later date, "
				    "or take it out of the file",
				    text);
	return problems_add(out, place,
			    "%s, and then the peer is refused: give it a new key and a later date",
			    text);
}

int policy_key_warnings(const struct policy *policy, int64_t now, struct problems *out)
{
	const struct policy_member *member;
	int r = 0;

	array_for_each(member, &policy->members)
		if (!r && expiry_judge(member->key_expiry, now) != EXPIRY_FAR)
			r = warn_key(member, now, out);
	return r;
}

int policy_warnings(const struct policy *policy, struct problems *out)
{
	int r = 0;

	if (policy->config->enforce == ENFORCE_LOG)
		r = problems_add(out, "$.enforce",
				 "the policy is NOT ENFORCED: what the grants refuse is counted "
				 "and forwarded");
	if (!r && !policy->config->grants_set)
		r = problems_add(out, "$", "there is no \"grants\" key: nothing is allowed");
	if (!r)
		r = warn_all_unapproved(policy, out);
	if (!r)
		r = warn_idle_routes(policy, out);
	if (!r)
		r = warn_rules(policy, out);
	if (!r)
		r = warn_extension_headers(policy, out);
	if (!r)
		r = warn_undecided_peers(policy, out);
	if (!r)
		r = policy_service_warnings(policy->config, out);
	return r;
}
