// SPDX-License-Identifier: GPL-2.0-only
#include "model/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "model/layout.h"

int session_read(const char *text, struct session *out)
{
	char client[ADDR_TEXT_SIZE], server[ADDR_TEXT_SIZE], port[8];
	struct session session;
	uint64_t number;

	if (sscanf(text, "%47s %*7s %47s %7s", client, server, port) != 3 ||
	    addr_read(client, &session.client) || addr_read(server, &session.server) ||
	    num_read(port, 1, UINT16_MAX, &number))
		return -EINVAL;
	session.port = (uint16_t)number;
	*out = session;
	return 0;
}

/* As WireGuard's cryptokey routing does: the longest prefix has it. */
static const struct state_peer *find_peer(const struct state *state, const struct addr *addr)
{
	const struct state_peer *peer, *found = NULL;
	const struct prefix *prefix;
	int longest = -1;

	array_for_each(peer, &state->tunnel.peers)
		array_for_each(prefix, &peer->allowed_ips)
			if (prefix->len > longest && prefix_has_addr(prefix, addr)) {
				longest = prefix->len;
				found = peer;
			}
	return found;
}

static bool is_same_tunnel(const struct state_tunnel *a, const struct state_tunnel *b)
{
	return !strcmp(a->name, b->name) && a->backend == b->backend &&
	       a->listen_port == b->listen_port &&
	       (key_is_zero(&a->private_key) || key_is_equal(&a->private_key, &b->private_key));
}

static int cut(const struct session *session, struct err *err, const char *why)
{
	char client[ADDR_TEXT_SIZE];

	return err_set(
		err, -ECONNABORTED,
		"this would cut off the session it is typed in (from %s): %s; --force does it "
		"all the same, --try SECONDS with it takes it back",
		addr_put(client, &session->client), why);
}

static int judge_grants(const struct session *session, const struct state *want, struct err *err)
{
	const struct decide_packet packet = { .proto = IPPROTO_TCP,
					      .src = session->client,
					      .dst = session->server,
					      .port = session->port };
	struct layout layout = { 0 };
	uint32_t rule;
	int r = layout_build(&want->tables, &layout);

	if (r)
		err_set(err, r, "out of memory");
	else if (!layout_decide(&layout, &packet, &rule))
		r = cut(session, err, "no grant allows it, or a deny refuses it");
	layout_free(&layout);
	return r;
}

int session_judge(const struct session *session, const struct state *have, const struct state *want,
		  struct err *err)
{
	const struct state_peer *before = find_peer(have, &session->client);
	const struct state_peer *after = find_peer(want, &session->client);

	if (!have->tunnel.exists || !before)
		return 0;
	if (!after || !key_is_equal(&after->public_key, &before->public_key))
		return cut(session, err, "its peer has that address no more");
	if (!key_is_equal(&after->preshared_key, &before->preshared_key))
		return cut(session, err, "its peer gets another preshared key");
	if (!is_same_tunnel(&have->tunnel, &want->tunnel))
		return cut(session, err, "the tunnel gets another name, key, port or backend");
	return judge_grants(session, want, err);
}
