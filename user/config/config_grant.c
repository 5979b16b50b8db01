// SPDX-License-Identifier: GPL-2.0-only
/* "grants": who may reach what. */
#include "base/mem.h"
#include "config/read.h"

#define GRANTS_MAX 4096

static READ_FUNCTION(read_ip)
{
	struct config_grant *grant = out;

	(void)field;
	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;
	if (!json_first(value->json))
		read_error(reader, value, "must not be empty; leave it out for \"*\"");

	for (struct value item = value_first(value); item.json; value_next(&item)) {
		const char *text = read_nonempty(reader, &item);
		struct config_match *added;
		struct config_match match;

		if (!text || !read_match_text(reader, &item, text, &match))
			continue;
		added = array_add(&grant->ip);
		if (!added)
			read_no_memory(reader);
		else
			*added = match;
	}
}

static const char *const actions[] = {
	[ACTION_ACCEPT] = "accept",
	[ACTION_DENY] = "deny",
	NULL,
};

#define AT(member) .offset = offsetof(struct config_grant, member)

const struct field grant_fields[] = {
	FIELD("action", read_word, AT(action), .words = actions),
	FIELD("src", read_texts, AT(src), .required = true, .not_empty = true,
	      .check = check_selector),
	FIELD("dst", read_texts, AT(dst), .required = true, .not_empty = true,
	      .check = check_selector),
	FIELD("ip", read_ip),
	{ .key = NULL },
};

static void set_default_ip(struct reader *reader, struct config_grant *grant)
{
	struct config_match *match = array_add(&grant->ip);

	if (!match) {
		read_no_memory(reader);
		return;
	}
	match->any = true;
	match->port_max = UINT16_MAX;
}

static void read_grant(struct reader *reader, const struct value *value, struct config *config)
{
	struct config_grant *grant = array_add(&config->grants);

	if (!grant) {
		read_no_memory(reader);
		return;
	}

	grant->place = value_place(reader, value);
	read_object(reader, value, grant_fields, grant);
	if (!grant->ip.count)
		set_default_ip(reader, grant);
}

READ_FUNCTION(read_grants)
{
	struct config *config = out;

	(void)field;
	config->grants_set = true;
	if (!read_is_list(reader, value, GRANTS_MAX, "grants"))
		return;
	for (struct value item = value_first(value); item.json; value_next(&item))
		read_grant(reader, &item, config);
}
