// SPDX-License-Identifier: GPL-2.0-only
#include "model/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int key_order(const void *key, const void *row)
{
	return memcmp(key, ((const struct facts_seen *)row)->public_key.bytes, KEY_SIZE);
}

const struct facts_seen *facts_find_seen(const struct facts *facts, const struct key *public_key)
{
	if (!facts->seen.count)
		return NULL;
	return bsearch(public_key->bytes, facts->seen.items, facts->seen.count,
		       sizeof(*facts->seen.items), key_order);
}

static const struct facts_seen *find(const struct seen *seen, const struct key *public_key)
{
	if (!seen->peers.count)
		return NULL;
	return bsearch(public_key->bytes, seen->peers.items, seen->peers.count,
		       sizeof(*seen->peers.items), key_order);
}

/* Where it is, or was; false when nobody knows. */
static bool look_up(const struct seen *before, const struct state *have,
		    const struct state_peer *want, struct facts_seen *out)
{
	const struct state_peer *peer = state_find_peer(have, &want->public_key);
	const struct facts_seen *known;

	if (peer && peer->endpoint.port) {
		*out = (struct facts_seen){ .public_key = want->public_key,
					    .endpoint = peer->endpoint,
					    .said = want->said };
		/* what was just edited is to be set, and seen at the next look */
		return peer->said == want->said;
	}
	known = find(before, &want->public_key);
	if (known)
		*out = *known;
	return known;
}

int seen_note(struct seen *seen, const struct state *want, const struct state *have)
{
	const struct state_peer *peer;
	struct seen now = {};

	array_for_each(peer, &want->tunnel.peers) { /* sorted by key */
		struct facts_seen found, *added;

		if (!look_up(seen, have, peer, &found))
			continue;
		added = array_add(&now.peers);
		if (!added) {
			array_clear(&now.peers);
			return -ENOMEM;
		}
		*added = found;
	}
	array_clear(&seen->peers);
	*seen = now;
	return 0;
}

int seen_tell(const struct seen *seen, const struct state *have, struct facts *facts)
{
	const struct facts_seen *peer;

	array_for_each(peer, &seen->peers) {
		struct facts_seen *added;

		if (state_find_peer(have, &peer->public_key))
			continue;
		added = array_add(&facts->seen);
		if (!added)
			return -ENOMEM;
		*added = *peer;
	}
	return 0;
}
