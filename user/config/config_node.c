// SPDX-License-Identifier: GPL-2.0-only
/* "nodes": the machines that run towpath. */
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define KEEPALIVE_BEHIND_NAT 25 /* what WireGuard's own page recommends */

static READ_FUNCTION(read_node_key)
{
	struct config_node *node = out;

	read_public_key(reader, value, field, &node->public_key);
	if (!key_is_zero(&node->public_key))
		claim_key(reader, value, CLAIM_NODE, node->name, &node->public_key);
}

static READ_FUNCTION(read_accept)
{
	struct config_node *node = out;

	if (json_type(value->json) == JSON_BOOL) {
		node->accept = json_bool(value->json) ? ACCEPT_ALL : ACCEPT_NONE;
	} else if (json_type(value->json) == JSON_LIST) {
		node->accept = ACCEPT_LIST;
		read_prefixes(reader, value, field, &node->accept_routes);
	} else {
		read_error(reader, value, "must be true, false or a list of prefixes");
	}
}

static const char *const xdp_modes[] = {
	[XDP_AUTO] = "auto",
	[XDP_NATIVE] = "native",
	[XDP_GENERIC] = "generic",
	[XDP_OFF] = "off",
	NULL,
};

static const char *const lan_to_lan_modes[] = {
	[LAN_TO_LAN_STACK] = "stack",
	[LAN_TO_LAN_JUDGE] = "judge",
	NULL,
};

#define AT(member) .offset = offsetof(struct config_node, member)

const struct field node_fields[] = {
	FIELD("public_key", read_node_key, .required = true),
	FIELD("addresses", read_mesh_addrs, AT(addresses), .required = true),
	FIELD("endpoint", read_endpoint, AT(endpoint), .nullable = true),
	FIELD("persistent_keepalive", read_u16, AT(persistent_keepalive), .max = UINT16_MAX),
	FIELD("via", read_text, AT(via), .nullable = true, .check = check_name),
	FIELD("lan_to_lan", read_word, AT(lan_to_lan), .words = lan_to_lan_modes),
	FIELD("tags", read_texts, AT(tags), .check = check_tag),
	FIELD("advertise_routes", read_prefixes, AT(advertise_routes)),
	FIELD("accept_routes", read_accept),
	FIELD("lan_interfaces", read_texts, AT(lan_interfaces), .check = check_interface_glob),
	FIELD("xdp", read_word, AT(xdp), .words = xdp_modes),
	FIELD("tunnel", read_tunnel, AT(tunnel)),
	{ .key = NULL },
};

/* Nobody can call it: what its hub has for it waits until it calls, and NATs forget in 30 s. */
static bool must_keep_contact(const struct config_node *node)
{
	return node->via.text && !node->endpoint.host;
}

static void read_node(struct reader *reader, const struct value *value, void *out)
{
	struct config *config = out;
	struct config_node *node = array_add(&config->nodes);

	if (!node) {
		read_no_memory(reader);
		return;
	}

	read_copy(reader, &node->name, value->key);
	node->place = value_place(reader, value);
	node->via.place = value_place_below(reader, value, "via");
	tunnel_copy(reader, &node->tunnel, &reader->bases->tunnel);
	if (reader->r)
		return;

	claim_name(reader, value, CLAIM_NODE, node->name);
	read_object(reader, value, node_fields, node);
	if (must_keep_contact(node) && !json_find(value->json, "persistent_keepalive"))
		node->persistent_keepalive = KEEPALIVE_BEHIND_NAT;
}

READ_FUNCTION(read_nodes)
{
	static const struct map map = { READ_MEMBERS_MAX, "nodes", check_selector_name, read_node };

	(void)field;
	read_map(reader, value, &map, out);
}
