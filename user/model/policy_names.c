// SPDX-License-Identifier: GPL-2.0-only
#include "model/policy_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int name_add(struct names *names, const char *text, enum name_kind kind, size_t index)
{
	struct name *name = array_add(names);

	if (!name)
		return -ENOMEM;

	name->text = text;
	name->kind = kind;
	name->index = (uint32_t)index;
	return 0;
}

static int name_compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	if (!r)
		r = (int)x->kind - (int)y->kind;
	return r ? r : (x->index > y->index) - (x->index < y->index);
}

static int add_member(struct names *names, const struct policy_member *member, size_t index)
{
	const struct config_text *tag;
	int r;

	r = name_add(names, member->name, NAME_MEMBER, index);
	if (!r && member->user)
		r = name_add(names, member->user, NAME_USER, index);

	array_for_each(tag, member->tags)
		if (!r)
			r = name_add(names, tag->text, NAME_TAG, index);
	return r;
}

static int add_all(struct names *names, const struct policy *policy)
{
	const struct config *config = policy->config;
	size_t i;
	int r = 0;

	for (i = 0; !r && i < policy->members.count; i++)
		r = add_member(names, &policy->members.items[i], i);
	for (i = 0; !r && i < config->groups.count; i++)
		r = name_add(names, config->groups.items[i].name, NAME_GROUP, i);
	for (i = 0; !r && i < config->hosts.count; i++)
		r = name_add(names, config->hosts.items[i].name, NAME_HOST, i);
	for (i = 0; !r && i < config->services.count; i++)
		r = name_add(names, config->services.items[i].name, NAME_SERVICE, i);
	return r;
}

int names_build(const struct policy *policy, struct names *out)
{
	struct names names = { 0 };
	int r;

	r = add_all(&names, policy);
	if (r) {
		array_clear(&names);
		return r;
	}

	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), name_compare);
	*out = names;
	return 0;
}

/* The first entry that is not less than text. */
static size_t lower_bound(const struct names *names, const char *text)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(names->items[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct name *names_find(const struct names *names, const char *text, size_t *count)
{
	size_t first = lower_bound(names, text);
	size_t end = first;

	while (end < names->count && !strcmp(names->items[end].text, text))
		end++;

	*count = end - first;
	return *count ? &names->items[first] : NULL;
}

/* A group holds members by name and by user; groups in groups do not exist. */
static bool group_has(const struct config_group *group, const struct policy_member *member)
{
	const struct config_text *text;

	array_for_each(text, &group->members)
		if (!strcmp(text->text, member->name) ||
		    (member->user && !strcmp(text->text, member->user)))
			return true;
	return false;
}

static bool has_tag(const struct policy_member *member, const char *tag)
{
	const struct config_text *text;

	array_for_each(text, member->tags)
		if (!strcmp(text->text, tag))
			return true;
	return false;
}

bool names_mean_member(const struct names *names, const struct policy *policy, const char *who,
		       uint32_t index)
{
	const struct policy_member *member = &policy->members.items[index];
	const struct name *name;
	size_t count;

	if (!strcmp(who, member->name) || (member->user && !strcmp(who, member->user)))
		return true;
	if (has_tag(member, who))
		return true;

	name = names_find(names, who, &count);
	return name && name->kind == NAME_GROUP &&
	       group_has(&policy->config->groups.items[name->index], member);
}

const char *names_suggest(const struct names *names, const char *word, int kind)
{
	AUTO_FREE const char **texts = NULL;
	const struct name *name;
	size_t count = 0;

	texts = mem_alloc(names->count + 1, sizeof(*texts));
	if (!texts)
		return NULL; /* a suggestion is a courtesy: the error is told without it */

	array_for_each(name, names) {
		bool repeated = count && !strcmp(texts[count - 1], name->text);

		if (!repeated && (kind == NAMES_ANY_KIND || (int)name->kind == kind))
			texts[count++] = name->text;
	}
	return nearest_word(word, texts, count);
}
