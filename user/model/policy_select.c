// SPDX-License-Identifier: GPL-2.0-only
/*
 * Selectors become sets. Each distinct selector is resolved once, however many grants use it:
 * thousands of grants may name a tag that ten thousand peers carry.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/policy_parts.h"

struct selectors {
	ARRAY_OF(const char *);
};

static int selector_add(struct selectors *selectors, const char *text)
{
	const char **added;

	if (!strcmp(text, "*"))
		return 0;

	added = array_add(selectors);
	if (!added)
		return -ENOMEM;
	*added = text;
	return 0;
}

static int collect_texts(struct selectors *selectors, const struct config_texts *texts)
{
	const struct config_text *text;
	int r = 0;

	array_for_each(text, texts)
		if (!r)
			r = selector_add(selectors, text->text);
	return r;
}

static int collect_test(struct selectors *selectors, const struct config_test *test)
{
	const struct config_assertion *assertion;
	int r;

	r = selector_add(selectors, test->src.text);
	array_for_each(assertion, &test->accept)
		if (!r)
			r = selector_add(selectors, assertion->selector);
	array_for_each(assertion, &test->deny)
		if (!r)
			r = selector_add(selectors, assertion->selector);
	return r;
}

static int collect(struct selectors *selectors, const struct config *config)
{
	const struct config_grant *grant;
	const struct config_test *test;
	int r = 0;

	array_for_each(grant, &config->grants) {
		if (!r)
			r = collect_texts(selectors, &grant->src);
		if (!r)
			r = collect_texts(selectors, &grant->dst);
	}
	array_for_each(test, &config->tests)
		if (!r)
			r = collect_test(selectors, test);
	return r;
}

static int text_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_sets(struct policy *policy, struct selectors *selectors)
{
	const char **text, *last = NULL;
	size_t i;

	for (i = 0; i < POLICY_SETS_FIXED; i++) {
		struct policy_set *set = array_add(&policy->sets);

		if (!set)
			return -ENOMEM;
		set->selector = "*";
	}

	if (selectors->count)
		qsort(selectors->items, selectors->count, sizeof(*text), text_compare);
	array_for_each(text, selectors) {
		struct policy_set *set;

		if (last && !strcmp(last, *text))
			continue;
		set = array_add(&policy->sets);
		if (!set)
			return -ENOMEM;
		set->selector = last = *text;
	}
	return 0;
}

__attribute__((format(printf, 2, 3))) static int complain(struct policy_set *set,
							  const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&set->complaint, format, args);
	va_end(args);
	if (length >= 0)
		return 0;

	set->complaint = NULL; /* vasprintf leaves it undefined */
	return -ENOMEM;
}

static int add_member(const struct policy *policy, struct policy_set *set, size_t index)
{
	const struct addr *addr;
	int r = 0;

	array_for_each(addr, policy->members.items[index].addresses)
		if (!r)
			r = ranges_add_addr(&set->ranges, addr);
	return r;
}

static int add_group(struct policy_builder *b, struct policy_set *set,
		     const struct config_group *group)
{
	const struct config_text *text;
	int r = 0;

	array_for_each(text, &group->members) {
		const struct name *name;
		size_t i, count;

		name = names_find(&b->names, text->text, &count);
		for (i = 0; !r && i < count; i++)
			if (name[i].kind <= NAME_USER)
				r = add_member(b->policy, set, name[i].index);
	}
	return r;
}

static int add_name(struct policy_builder *b, struct policy_set *set, const struct name *name)
{
	const struct config *config = b->config;

	switch (name->kind) {
	case NAME_MEMBER:
	case NAME_USER:
	case NAME_TAG: return add_member(b->policy, set, name->index);
	case NAME_GROUP: return add_group(b, set, &config->groups.items[name->index]);
	case NAME_HOST: return ranges_add(&set->ranges, &config->hosts.items[name->index].range);
	case NAME_SERVICE:
		set->service = &config->services.items[name->index];
		return ranges_add_addr(&set->ranges, &set->service->vip);
	}
	return -EINVAL;
}

static int resolve_name(struct policy_builder *b, struct policy_set *set)
{
	const struct name *name;
	size_t i, count;
	int r = 0;

	name = names_find(&b->names, set->selector, &count);
	if (!name)
		return 0; /* policy_use_set reports it at each place, with what was meant */

	/* all of one kind: config_read refuses a name that means two things */
	for (i = 0; !r && i < count; i++)
		r = add_name(b, set, &name[i]);
	if (!r && !set->ranges.count)
		r = complain(set, "\"%s\" resolves to no address", set->selector);
	return r;
}

static int resolve(struct policy_builder *b, struct policy_set *set)
{
	char text[PREFIX_TEXT_SIZE];
	struct addr_range range;
	struct prefix prefix;
	int r;

	r = prefix_read(set->selector, &prefix);
	if (!r)
		return ranges_add_prefix(&set->ranges, &prefix);
	if (r == -EDOM)
		return complain(set, "\"%s\" has host bits set; did you mean \"%s\"?",
				set->selector, prefix_put(text, &prefix));
	if (!addr_range_read(set->selector, &range))
		return ranges_add(&set->ranges, &range);

	return resolve_name(b, set);
}

/*
 * Every mesh address and approved route; as a source no default route. When the first one asks:
 * it is as large as the policy, and a careful one never says `*`.
 */
static int resolve_any(const struct policy *policy, struct policy_set *set, bool is_src)
{
	const struct policy_route *route;
	size_t i;
	int r = 0;

	for (i = 0; !r && i < policy->members.count; i++)
		r = add_member(policy, set, i);
	array_for_each(route, &policy->routes)
		if (!r && route->approved && !(is_src && prefix_is_default(&route->prefix)))
			r = ranges_add_prefix(&set->ranges, &route->prefix);
	ranges_normalize(&set->ranges);
	if (!r && !set->ranges.count)
		r = complain(set, "\"*\" resolves to no address");
	return r;
}

int policy_build_sets(struct policy_builder *b)
{
	struct selectors selectors = { 0 };
	struct policy_set *set;
	size_t i;
	int r;

	r = collect(&selectors, b->config);
	if (!r)
		r = add_sets(b->policy, &selectors);
	array_clear(&selectors);
	for (i = POLICY_SETS_FIXED; !r && i < b->policy->sets.count; i++)
		r = resolve(b, &b->policy->sets.items[i]);

	array_for_each(set, &b->policy->sets)
		ranges_normalize(&set->ranges);
	return r;
}

static int set_compare(const void *a, const void *b)
{
	return strcmp(((const struct policy_set *)a)->selector,
		      ((const struct policy_set *)b)->selector);
}

static uint32_t find_set(const struct policy *policy, const char *selector, bool is_src)
{
	struct policy_set key = { .selector = selector };
	const struct policy_set *named = policy->sets.items + POLICY_SETS_FIXED;
	const struct policy_set *found;

	if (!strcmp(selector, "*"))
		return is_src ? POLICY_ANY_SRC : POLICY_ANY_DST;

	found = bsearch(&key, named, policy->sets.count - POLICY_SETS_FIXED, sizeof(key),
			set_compare);
	return found ? (uint32_t)(found - policy->sets.items) : POLICY_SET_NONE;
}

int policy_use_set(struct policy_builder *b, const char *selector, bool is_src, const char *place,
		   uint32_t *out)
{
	uint32_t index = find_set(b->policy, selector, is_src);
	struct policy_set *set = &b->policy->sets.items[index];
	int r = 0;

	*out = POLICY_SET_NONE;
	if (index < POLICY_SETS_FIXED && !set->ranges.count && !set->complaint)
		r = resolve_any(b->policy, set, is_src);
	if (r)
		return r;
	if (set->complaint)
		return problems_add(b->problems, place, "%s", set->complaint);
	if (!set->ranges.count)
		return policy_unknown(b, place, "selector", selector, NAMES_ANY_KIND);

	*out = index;
	return 0;
}
