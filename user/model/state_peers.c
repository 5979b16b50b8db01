// SPDX-License-Identifier: GPL-2.0-only
/* What is known of the tunnel's peers beside what WireGuard says, and how one is changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/state.h"

/* Whatever private key it has, nobody knows that. */
const struct key state_drain_key = { .bytes = { "towpath drains allowed IPs by it" } };

static int key_order(const void *key, const void *peer)
{
	return memcmp(key, ((const struct state_peer *)peer)->public_key.bytes, KEY_SIZE);
}

const struct state_peer *state_find_peer(const struct state *state, const struct key *public_key)
{
	if (!state->tunnel.peers.count)
		return NULL;
	return bsearch(public_key->bytes, state->tunnel.peers.items, state->tunnel.peers.count,
		       sizeof(*state->tunnel.peers.items), key_order);
}

/* Rows are by number, peers by key. */
static int row_compare(const void *a, const void *b)
{
	const struct peer_info_row *x = *(const struct peer_info_row *const *)a;
	const struct peer_info_row *y = *(const struct peer_info_row *const *)b;

	return memcmp(x->info.public_key, y->info.public_key, KEY_SIZE);
}

int state_tell_peers(struct state *have)
{
	size_t i = 0, count = have->peer_info.count;
	AUTO_FREE const struct peer_info_row **rows = mem_alloc(count + 1, sizeof(*rows));
	const struct peer_info_row *row;
	struct state_peer *peer;

	if (!rows)
		return -ENOMEM;
	array_for_each(row, &have->peer_info)
		rows[i++] = row;
	qsort(rows, count, sizeof(*rows), row_compare);

	i = 0;
	array_for_each(peer, &have->tunnel.peers) { /* sorted by key too */
		int order = -1;

		while (i < count && (order = memcmp(rows[i]->info.public_key,
						    peer->public_key.bytes, KEY_SIZE)) < 0)
			i++;
		peer->ours = i < count && !order;
		peer->said = peer->ours ? rows[i]->info.endpoint : 0;
		peer->ours |= key_is_equal(&peer->public_key, &state_drain_key);
	}
	return 0;
}

bool peer_change_psk(const struct peer_change *change)
{
	return !change->have ||
	       !key_is_equal(&change->want->preshared_key, &change->have->preshared_key);
}

bool peer_change_keepalive(const struct peer_change *change)
{
	return !change->have || change->want->keepalive != change->have->keepalive;
}

static int prefix_order(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

bool peer_change_has(const struct peer_change *change, const struct prefix *prefix)
{
	const struct state_peer *have = change->have;

	return !have || !have->allowed_ips.count ||
	       !bsearch(prefix, have->allowed_ips.items, have->allowed_ips.count, sizeof(*prefix),
			prefix_order);
}

size_t peer_change_ips(const struct peer_change *change)
{
	size_t count = change->want->allowed_ips.count;

	return change->owned ? count + change->have->allowed_ips.count : count;
}

bool peer_change_drops(const struct peer_change *change, const struct prefix *prefix)
{
	const struct prefixes *owned = change->owned;

	return owned && (!owned->count || !bsearch(prefix, owned->items, owned->count,
						   sizeof(*prefix), prefix_order));
}
