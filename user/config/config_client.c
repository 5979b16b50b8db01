// SPDX-License-Identifier: GPL-2.0-only
/* "client": at the top, and in a peer over it. */
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define DEFAULT_CLIENT_MTU 1280

static READ_FUNCTION(read_allowed)
{
	static const char *const words[] = {
		[ALLOWED_ROUTES] = "routes",
		[ALLOWED_ALL] = "all",
		NULL,
	};
	struct config_client *client = out;
	int choice;

	if (json_type(value->json) != JSON_STRING) {
		client->allowed = ALLOWED_LIST;
		read_prefixes(reader, value, field, &client->allowed_ips);
		return;
	}

	choice = read_choice(reader, value, json_string(value->json), words);
	if (choice >= 0)
		client->allowed = (enum config_allowed)choice;
}

#define AT(member) .offset = offsetof(struct config_client, member)

const struct field client_fields[] = {
	FIELD("dns", read_addrs, AT(dns)),
	FIELD("search", read_texts, AT(search), .check = check_domain),
	FIELD("allowed_ips", read_allowed),
	FIELD("mtu", read_u16, AT(mtu), .min = READ_MTU_MIN, .max = READ_MTU_MAX),
	{ .key = NULL },
};

void client_defaults(struct config_client *client)
{
	client->mtu = DEFAULT_CLIENT_MTU;
}

static void inherit_dns(struct reader *reader, struct config_addrs *to,
			const struct config_addrs *from)
{
	const struct addr *item;

	array_for_each(item, from) {
		struct addr *added = array_add(to);

		if (!added) {
			read_no_memory(reader);
			return;
		}
		*added = *item;
	}
}

static void inherit_search(struct reader *reader, struct config_texts *to,
			   const struct config_texts *from)
{
	const struct config_text *item;

	array_for_each(item, from) {
		struct config_text *added = array_add(to);

		if (!added) {
			read_no_memory(reader);
			return;
		}
		read_copy(reader, &added->text, item->text);
		read_copy(reader, &added->place, item->place);
	}
}

static void inherit_allowed(struct reader *reader, struct config_client *to,
			    const struct config_client *from)
{
	const struct prefix *item;

	to->allowed = from->allowed;
	array_for_each(item, &from->allowed_ips) {
		struct prefix *added = array_add(&to->allowed_ips);

		if (!added) {
			read_no_memory(reader);
			return;
		}
		*added = *item;
	}
}

void client_inherit(struct reader *reader, struct config_client *client, const struct json *own,
		    const struct config_client *base)
{
	if (!own || !json_find(own, "dns"))
		inherit_dns(reader, &client->dns, &base->dns);
	if (!own || !json_find(own, "search"))
		inherit_search(reader, &client->search, &base->search);
	if (!own || !json_find(own, "allowed_ips"))
		inherit_allowed(reader, client, base);
	if (!own || !json_find(own, "mtu"))
		client->mtu = base->mtu;
}

READ_FUNCTION(read_client)
{
	struct config_client *client = out;

	(void)field;
	client->place = value_place(reader, value);
	read_object(reader, value, client_fields, client);
}
