// SPDX-License-Identifier: GPL-2.0-only
/* Grants become rules, tests become assertions over the same sets. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <towpath/layout.h>

#include "model/policy_parts.h"

static struct policy_rule *add_rule(struct policy_builder *b, const struct config_grant *grant)
{
	struct policy_rule *rule = array_add(&b->policy->rules);

	if (!rule)
		return NULL;

	rule->grant = (uint32_t)(grant - b->config->grants.items);
	rule->deny = grant->action == ACTION_DENY;
	return rule;
}

static int add_sources(struct policy_builder *b, struct policy_rule *rule,
		       const struct config_grant *grant)
{
	const struct config_text *text;

	array_for_each(text, &grant->src) {
		uint32_t *added = array_add(&rule->src);
		int r;

		if (!added)
			return -ENOMEM;
		r = policy_use_set(b, text->text, true, text->place, added);
		if (r)
			return r;
	}
	return 0;
}

static int copy_sources(struct policy_rule *to, const struct policy_rule *from)
{
	const uint32_t *set;

	array_for_each(set, &from->src) {
		uint32_t *added = array_add(&to->src);

		if (!added)
			return -ENOMEM;
		*added = *set;
	}
	return 0;
}

static int add_match(struct policy_rule *rule, const struct config_match *match)
{
	struct config_match *added = array_add(&rule->matches);

	if (!added)
		return -ENOMEM;

	*added = *match;
	return 0;
}

static int add_matches(struct policy_rule *rule, const struct config_grant *grant)
{
	const struct config_match *match;
	int r = 0;

	array_for_each(match, &grant->ip)
		if (!r)
			r = add_match(rule, match);
	return r;
}

static bool match_has(const struct config_match *match, uint8_t proto, uint16_t port)
{
	bool same =
		match->both ? proto == IPPROTO_TCP || proto == IPPROTO_UDP : proto == match->proto;

	if (match->any)
		return true;
	return same && (!match->has_ports || (port >= match->port_min && port <= match->port_max));
}

static bool grant_has(const struct config_grant *grant, uint8_t proto, uint16_t port)
{
	const struct config_match *match;

	array_for_each(match, &grant->ip)
		if (match_has(match, proto, port))
			return true;
	return false;
}

/* A service is its address with its ports: those of them that the grant's `ip` has too. */
static int add_service_matches(struct policy_rule *rule, const struct config_grant *grant,
			       const struct config_service *service)
{
	const struct config_service_port *port;
	int r = 0;

	array_for_each(port, &service->ports) {
		struct config_match match = { .proto = port->proto,
					      .has_ports = true,
					      .port_min = port->port,
					      .port_max = port->port };

		if (!r && grant_has(grant, port->proto, port->port))
			r = add_match(rule, &match);
	}
	return r;
}

static int add_service_rule(struct policy_builder *b, const struct config_grant *grant,
			    uint32_t set, size_t first)
{
	struct policy_rule *rule = add_rule(b, grant);
	uint32_t *dst;
	int r;

	if (!rule)
		return -ENOMEM;

	dst = array_add(&rule->dst);
	if (!dst)
		return -ENOMEM;
	*dst = set;

	r = copy_sources(rule, &b->policy->rules.items[first]);
	if (r)
		return r;
	return add_service_matches(rule, grant, b->policy->sets.items[set].service);
}

/* The grant's first rule stands already; a service goes to a rule of its own. */
static int add_destination(struct policy_builder *b, const struct config_grant *grant,
			   const struct config_text *text, size_t first)
{
	uint32_t set, *dst;
	int r;

	r = policy_use_set(b, text->text, false, text->place, &set);
	if (r || set == POLICY_SET_NONE)
		return r;
	if (b->policy->sets.items[set].service)
		return add_service_rule(b, grant, set, first);

	dst = array_add(&b->policy->rules.items[first].dst);
	if (!dst)
		return -ENOMEM;
	*dst = set;
	return 0;
}

/* Of a grant that names services alone the first rule leads nowhere. */
static void drop_if_empty(struct policy *policy, size_t first)
{
	struct policy_rule *rule = &policy->rules.items[first];
	size_t behind = policy->rules.count - first - 1;

	if (rule->dst.count || !behind)
		return;
	policy_rule_clear(rule);
	memmove(rule, rule + 1, behind * sizeof(*rule));
	policy->rules.count--;
}

static int build_grant(struct policy_builder *b, const struct config_grant *grant)
{
	size_t first = b->policy->rules.count;
	struct policy_rule *rule = add_rule(b, grant);
	const struct config_text *text;
	int r;

	if (!rule)
		return -ENOMEM;

	r = add_sources(b, rule, grant);
	if (!r)
		r = add_matches(rule, grant);
	array_for_each(text, &grant->dst)
		if (!r)
			r = add_destination(b, grant, text, first);
	if (!r)
		drop_if_empty(b->policy, first);
	return r;
}

int policy_build_rules(struct policy_builder *b)
{
	const struct config_grant *grant;
	int r = 0;

	array_for_each(grant, &b->config->grants)
		if (!r)
			r = build_grant(b, grant);

	if (!r && b->policy->rules.count > TP_RULE_MAX)
		r = problems_add(b->problems, "$.grants",
				 "%zu grants and the services they name need %zu rules; "
				 "at most %d are possible",
				 b->config->grants.count, b->policy->rules.count, TP_RULE_MAX);
	return r;
}

static bool share_family(const struct policy *policy, uint32_t src, uint32_t dst)
{
	const struct ranges *a = &policy->sets.items[src].ranges;
	const struct ranges *b = &policy->sets.items[dst].ranges;

	return (ranges_has_family(a, true) && ranges_has_family(b, true)) ||
	       (ranges_has_family(a, false) && ranges_has_family(b, false));
}

static int build_assertion(struct policy_builder *b, const struct config_test *test, uint32_t src,
			   const struct config_assertion *assertion, bool accept)
{
	struct policy_assertion *added;
	uint32_t dst;
	int r;

	r = policy_use_set(b, assertion->selector, false, assertion->place, &dst);
	if (r || src == POLICY_SET_NONE || dst == POLICY_SET_NONE)
		return r;
	if (!share_family(b->policy, src, dst))
		return problems_add(b->problems, assertion->place,
				    "\"%s\" and \"%s\" share no address family: "
				    "this tests nothing",
				    test->src.text, assertion->text);

	added = array_add(&b->policy->assertions);
	if (!added)
		return -ENOMEM;
	added->test = test;
	added->config = assertion;
	added->accept = accept;
	added->src = src;
	added->dst = dst;
	return 0;
}

static int build_test(struct policy_builder *b, const struct config_test *test)
{
	const struct config_assertion *assertion;
	uint32_t src;
	int r;

	r = policy_use_set(b, test->src.text, true, test->src.place, &src);
	array_for_each(assertion, &test->accept)
		if (!r)
			r = build_assertion(b, test, src, assertion, true);
	array_for_each(assertion, &test->deny)
		if (!r)
			r = build_assertion(b, test, src, assertion, false);
	return r;
}

int policy_build_assertions(struct policy_builder *b)
{
	const struct config_test *test;
	int r = 0;

	array_for_each(test, &b->config->tests)
		if (!r)
			r = build_test(b, test);
	return r;
}
