// SPDX-License-Identifier: GPL-2.0-only
/* Where peers were, for a device that is made anew. */
#include <string.h>

#include "model/seen.h"
#include "test.h"

static struct state_peer peer_make(uint8_t id, uint16_t port, uint32_t said)
{
	struct state_peer peer = { .endpoint.port = port, .said = said };

	memset(&peer.public_key, id, sizeof(peer.public_key));
	memset(&peer.endpoint.addr, id, sizeof(peer.endpoint.addr));
	return peer;
}

/* The port that a device made anew would be told for that peer; 0: none. */
static unsigned int port_told(const struct seen *seen, const struct state *have, uint8_t id)
{
	struct state_peer peer = peer_make(id, 0, 0);
	const struct facts_seen *found;
	struct facts facts = {};
	unsigned int port;

	CHECK_INT(seen_tell(seen, have, &facts), 0);
	found = facts_find_seen(&facts, &peer.public_key);
	port = found ? found->endpoint.port : 0;
	facts_free(&facts);
	return port;
}

/* What is wanted of peers 1 and 2, after a device that had them. */
static void note(struct seen *seen, struct state_peer want[2], struct state_peer have[2])
{
	struct state want_state = { .tunnel.peers = { .items = want, .count = 2 } };
	struct state have_state = { .tunnel.peers = { .items = have, .count = have ? 2 : 0 } };

	CHECK_INT(seen_note(seen, &want_state, &have_state), 0);
}

TEST(remembers_where_peers_roamed_until_the_policy_moves_them)
{
	struct state_peer want[2] = { peer_make(1, 10, 5), peer_make(2, 0, 0) };
	struct state_peer have[2] = { peer_make(1, 11, 5), peer_make(2, 12, 0) };
	struct state there = { .tunnel.peers = { .items = have, .count = 1 } };
	const struct state gone = {};
	struct seen seen = {};

	note(&seen, want, have);
	CHECK_INT(port_told(&seen, &gone, 1), 11);
	CHECK_INT(port_told(&seen, &gone, 2), 12);
	CHECK_INT(port_told(&seen, &there, 1), 0); /* WireGuard itself knows */
	CHECK_INT(port_told(&seen, &there, 2), 12);

	note(&seen, want, NULL); /* a look at a device that is gone */
	CHECK_INT(port_told(&seen, &gone, 2), 12);

	want[0].said = 6; /* edited */
	note(&seen, want, have);
	CHECK_INT(port_told(&seen, &gone, 1), 0);
	array_clear(&seen.peers);
}
