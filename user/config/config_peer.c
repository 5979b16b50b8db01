// SPDX-License-Identifier: GPL-2.0-only
/* "peers": plain WireGuard clients. */
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

static READ_FUNCTION(read_peer_key)
{
	struct config_peer *peer = out;

	read_public_key(reader, value, field, &peer->public_key);
	if (!key_is_zero(&peer->public_key))
		claim_key(reader, value, CLAIM_PEER, peer->name, &peer->public_key);
}

static READ_FUNCTION(read_user)
{
	char **user = out;

	read_string(reader, value, field, user);
	if (*user)
		claim_name(reader, value, CLAIM_USER, *user);
}

#define AT(member) .offset = offsetof(struct config_peer, member)

const struct field peer_fields[] = {
	FIELD("public_key", read_peer_key, .required = true),
	FIELD("addresses", read_mesh_addrs, AT(addresses), .required = true),
	FIELD("user", read_user, AT(user), .check = check_selector_name),
	FIELD("tags", read_texts, AT(tags), .check = check_tag),
	FIELD("preshared_key_file", read_string, AT(preshared_key_file), .nullable = true,
	      .check = check_path),
	FIELD("endpoint", read_endpoint, AT(endpoint), .nullable = true),
	FIELD("persistent_keepalive", read_u16, AT(persistent_keepalive), .max = UINT16_MAX),
	FIELD("key_expiry", read_time, AT(key_expiry), .nullable = true),
	FIELD("gateway", read_string, AT(gateway), .nullable = true, .check = check_name),
	FIELD("mtu", read_u16, AT(mtu), .nullable = true, .min = READ_MTU_MIN, .max = READ_MTU_MAX),
	FIELD("client", read_client, AT(client)),
	FIELD("advertise_routes", read_prefixes, AT(advertise_routes)),
	{ .key = NULL },
};

static void read_peer(struct reader *reader, const struct value *value, void *out)
{
	struct config *config = out;
	struct config_peer *peer = array_add(&config->peers);
	struct value client;

	if (!peer) {
		read_no_memory(reader);
		return;
	}

	read_copy(reader, &peer->name, value->key);
	peer->place = value_place(reader, value);
	if (reader->r)
		return;

	claim_name(reader, value, CLAIM_PEER, peer->name);
	read_object(reader, value, peer_fields, peer);
	client = value_find(value, "client");
	client_inherit(reader, &peer->client, client.json, &reader->bases->client);
}

READ_FUNCTION(read_peers)
{
	static const struct map map = { READ_MEMBERS_MAX, "peers", check_selector_name, read_peer };

	(void)field;
	read_map(reader, value, &map, out);
}
