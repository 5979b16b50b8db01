// SPDX-License-Identifier: GPL-2.0-only
/* What a policy may say once: names, keys, addresses. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

static const char *const kind_names[] = {
	[CLAIM_NODE] = "node", [CLAIM_PEER] = "peer",       [CLAIM_USER] = "user",
	[CLAIM_HOST] = "host", [CLAIM_SERVICE] = "service", [CLAIM_GATEWAY] = "gateway",
};

/* Whether another one was first, and which; false when `value` is. */
static bool look(struct reader *reader, const struct value *value, struct seen *seen,
		 struct sighting sighting, struct sighting *first)
{
	AUTO_FREE char *place = value_place(reader, value);

	*first = (struct sighting){ 0 };
	sighting.place = place;
	if (place && seen_add(seen, &sighting, first))
		read_no_memory(reader);
	return first->key;
}

void claim_name(struct reader *reader, const struct value *value, enum claim kind, const char *name)
{
	struct sighting sighting = { .key = name, .length = strlen(name), .kind = kind };
	struct sighting first;

	/* a peer names the node or gateway it connects to; nothing else names a gateway */
	if (kind == CLAIM_NODE || kind == CLAIM_GATEWAY) {
		if (look(reader, value, &reader->entries, sighting, &first) &&
		    first.kind != (int)kind)
			read_error(reader, value, "%s is the name of a %s too, %s", QUOTE(name),
				   kind_names[first.kind], first.place);
	}
	if (kind == CLAIM_GATEWAY)
		return;

	/* a name twice in one map is a repeated key; a user has as many peers as he likes */
	if (look(reader, value, &reader->names, sighting, &first) && first.kind != (int)kind)
		read_error(reader, value, "%s is the name of a %s too, %s", QUOTE(name),
			   kind_names[first.kind], first.place);
}

/* The name of the gateway that this node or gateway belongs to, or NULL. */
static const char *gateway_of(const struct reader *reader, const struct sighting *sighting)
{
	struct sighting member;

	if (sighting->kind == CLAIM_GATEWAY)
		return sighting->owner;
	if (sighting->kind == CLAIM_NODE && reader->base_members &&
	    seen_find(reader->base_members, sighting->owner, strlen(sighting->owner), &member))
		return member.owner;
	return NULL;
}

static bool may_share_key(const struct reader *reader, const struct sighting *a,
			  const struct sighting *b)
{
	const char *gateway_of_a = gateway_of(reader, a);
	const char *gateway_of_b = gateway_of(reader, b);

	return gateway_of_a && gateway_of_b && !strcmp(gateway_of_a, gateway_of_b);
}

void claim_key(struct reader *reader, const struct value *value, enum claim kind, const char *owner,
	       const struct key *key)
{
	struct sighting sighting = {
		.key = key->bytes,
		.length = sizeof(key->bytes),
		.kind = kind,
		.owner = owner,
	};
	const char *mend = "";
	struct sighting first;

	if (!look(reader, value, &reader->keys, sighting, &first) ||
	    may_share_key(reader, &first, &sighting))
		return;
	if (kind == CLAIM_NODE && first.kind == CLAIM_NODE)
		mend = "; nodes may share one only as members of one gateway";
	read_error(reader, value, "is the same key as %s%s", first.place, mend);
}

void claim_address(struct reader *reader, const struct value *value, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];

	claim_once(reader, value, &reader->addresses, addr, sizeof(*addr),
		   QUOTE(addr_put(text, addr)));
}

void claim_member(struct reader *reader, const struct value *value, const char *gateway,
		  const char *node)
{
	struct sighting sighting = { .key = node, .length = strlen(node), .owner = gateway };
	struct sighting first;

	if (look(reader, value, &reader->members, sighting, &first))
		read_error(reader, value, "%s is already %s", QUOTE(node), first.place);
}

bool claim_once(struct reader *reader, const struct value *value, struct seen *seen,
		const void *key, size_t length, const char *what)
{
	struct sighting sighting = { .key = key, .length = length };
	struct sighting first;
	bool again = look(reader, value, seen, sighting, &first);

	if (again)
		read_error(reader, value, "%s is already %s", what, first.place);
	return !again;
}
