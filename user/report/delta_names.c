// SPDX-License-Identifier: GPL-2.0-only
#include "report/delta_names.h"

#include <errno.h>
#include <string.h>

/* The first name that a set is given is the one that it keeps. */
static int name_set(struct delta_names *names, const struct ranges *ranges, const char *text)
{
	uint32_t number;
	int r;

	if (!ranges->count)
		return 0;
	r = intern_add(&names->sets, ranges->items, ranges->count * sizeof(*ranges->items),
		       &number);
	if (!r && number == names->count) {
		const char **added = array_add(names);

		if (!added)
			return -ENOMEM;
		*added = text;
	}
	return r;
}

/* Blocks are of one family, and so are their names. */
static int add_name(struct delta_names *names, const struct ranges *ranges, const char *text)
{
	const struct addr_range *range;
	int v4, r = 0;

	for (v4 = 0; !r && v4 < 2; v4++) {
		struct ranges family = { 0 };

		array_for_each(range, ranges)
			if (!r && addr_is_v4(&range->first) == v4)
				r = ranges_add(&family, range);
		ranges_normalize(&family);
		if (!r)
			r = name_set(names, &family, text);
		array_clear(&family);
	}
	return r;
}

/* `before`: the words of the policy that went first. There they mean something already. */
static bool is_taken(const struct intern *before, const char *text)
{
	uint32_t number;

	return before && intern_find(before, text, strlen(text), &number);
}

static int add_members(struct delta_names *names, const struct policy *policy,
		       const struct intern *before)
{
	const struct policy_member *member;
	const struct addr *addr;
	int r = 0;

	array_for_each(member, &policy->members) {
		struct ranges ranges = { 0 };

		if (is_taken(before, member->name))
			continue;
		array_for_each(addr, member->addresses)
			if (!r)
				r = ranges_add_addr(&ranges, addr);
		if (!r)
			r = add_name(names, &ranges, member->name);
		array_clear(&ranges);
	}
	return r;
}

static int add_hosts(struct delta_names *names, const struct policy *policy,
		     const struct intern *before)
{
	const struct config_host *host;
	int r = 0;

	array_for_each(host, &policy->config->hosts) {
		struct ranges ranges = { 0 };

		if (r || is_taken(before, host->name))
			continue;
		r = ranges_add(&ranges, &host->range);
		if (!r)
			r = add_name(names, &ranges, host->name);
		array_clear(&ranges);
	}
	return r;
}

/* Written as addresses it is no name. */
static bool is_literal(const char *selector)
{
	struct addr_range range;
	struct prefix prefix;

	return !prefix_read(selector, &prefix) || !addr_range_read(selector, &range);
}

/* What the grants name: groups, tags, users, services, `*`. */
static int add_selectors(struct delta_names *names, const struct policy *policy, bool is_src,
			 const struct intern *before)
{
	const struct policy_set *other =
		&policy->sets.items[is_src ? POLICY_ANY_DST : POLICY_ANY_SRC];
	const struct policy_set *set;
	int r = 0;

	array_for_each(set, &policy->sets)
		if (!r && set->ranges.count && set != other && !is_literal(set->selector) &&
		    !is_taken(before, set->selector))
			r = add_name(names, &set->ranges, set->selector);
	return r;
}

static int add_policy(struct delta_names *names, const struct policy *policy, bool is_src,
		      const struct intern *before)
{
	int r;

	r = add_hosts(names, policy, before);
	if (!r)
		r = add_members(names, policy, before);
	return r ? r : add_selectors(names, policy, is_src, before);
}

/* The words of a policy: a name of the old one that the new one has too is not used. */
static int list_words(const struct policy *policy, struct intern *words)
{
	const struct policy_member *member;
	const struct config_host *host;
	const struct policy_set *set;
	uint32_t number;
	int r = 0;

	array_for_each(member, &policy->members)
		if (!r)
			r = intern_add(words, member->name, strlen(member->name), &number);
	array_for_each(host, &policy->config->hosts)
		if (!r)
			r = intern_add(words, host->name, strlen(host->name), &number);
	array_for_each(set, &policy->sets)
		if (!r)
			r = intern_add(words, set->selector, strlen(set->selector), &number);
	return r;
}

int delta_names_build(const struct policy *old_policy, const struct policy *new_policy, bool is_src,
		      struct delta_names *out)
{
	struct intern words = { 0 };
	int r = list_words(new_policy, &words);

	if (!r)
		r = add_policy(out, new_policy, is_src, NULL);
	if (!r)
		r = add_policy(out, old_policy, is_src, &words);
	intern_free(&words);
	return r;
}

const char *delta_names_find(const struct delta_names *names, const struct ranges *ranges)
{
	uint32_t number;

	if (!intern_find(&names->sets, ranges->items, ranges->count * sizeof(*ranges->items),
			 &number))
		return NULL;
	return names->items[number];
}

void delta_names_free(struct delta_names *names)
{
	intern_free(&names->sets);
	array_clear(names);
}
