/* SPDX-License-Identifier: GPL-2.0-only */
/* Every name of a policy file in one sorted list. Points into the config. */
#ifndef TP_MODEL_POLICY_NAMES_H
#define TP_MODEL_POLICY_NAMES_H

#include "model/policy.h"

enum name_kind { NAME_MEMBER, NAME_USER, NAME_TAG, NAME_GROUP, NAME_HOST, NAME_SERVICE };

/* A user or a tag has one entry for each member that carries it. */
struct name {
	const char *text;
	enum name_kind kind;
	uint32_t index; /* of the member, group, host or service */
};

struct names {
	ARRAY_OF(struct name);
};

/* The policy must have its members. 0 or -ENOMEM. */
int names_build(const struct policy *policy, struct names *out);

/* The first entry of that name, and how many there are; NULL and 0 when there is none. */
const struct name *names_find(const struct names *names, const char *text, size_t *count);

/* Whether `who` is that member's name, its user, one of its tags or a group that holds it. */
bool names_mean_member(const struct names *names, const struct policy *policy, const char *who,
		       uint32_t index);

/*
 * "did you mean" for a word that is no name: the nearest of the names of any kind, or of that
 * kind alone; NULL when none is near.
 */
#define NAMES_ANY_KIND -1
const char *names_suggest(const struct names *names, const char *word, int kind);

#endif
