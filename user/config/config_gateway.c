// SPDX-License-Identifier: GPL-2.0-only
/* "gateways": nodes that share one identity. */
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

static READ_FUNCTION(read_gateway_key)
{
	struct config_gateway *gateway = out;

	read_public_key(reader, value, field, &gateway->public_key);
	if (!key_is_zero(&gateway->public_key))
		claim_key(reader, value, CLAIM_GATEWAY, gateway->name, &gateway->public_key);
}

static READ_FUNCTION(read_gateway_nodes)
{
	struct config_gateway *gateway = out;

	if (!read_is_list(reader, value, READ_MEMBERS_MAX, "nodes"))
		return;
	if (!json_first(value->json))
		read_error(reader, value, "must not be empty");
	for (struct value item = value_first(value); item.json; value_next(&item)) {
		const char *node = read_text_item(reader, &item, field, &gateway->nodes);

		if (node)
			claim_member(reader, &item, gateway->name, node);
	}
}

#define AT(member) .offset = offsetof(struct config_gateway, member)

const struct field gateway_fields[] = {
	FIELD("public_key", read_gateway_key, .required = true),
	FIELD("endpoint", read_endpoint, AT(endpoint)),
	FIELD("nodes", read_gateway_nodes, .required = true, .check = check_name),
	{ .key = NULL },
};

static void read_gateway(struct reader *reader, const struct value *value, void *out)
{
	struct config *config = out;
	struct config_gateway *gateway = array_add(&config->gateways);

	if (!gateway) {
		read_no_memory(reader);
		return;
	}

	read_copy(reader, &gateway->name, value->key);
	gateway->place = value_place(reader, value);
	if (reader->r)
		return;

	claim_name(reader, value, CLAIM_GATEWAY, gateway->name);
	read_object(reader, value, gateway_fields, gateway);
}

READ_FUNCTION(read_gateways)
{
	static const struct map map = { READ_MEMBERS_MAX, "gateways", check_name, read_gateway };

	(void)field;
	read_map(reader, value, &map, out);
}
