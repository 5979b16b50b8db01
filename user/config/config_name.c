// SPDX-License-Identifier: GPL-2.0-only
/* "groups" and "hosts": names for others to use. */
#include "base/mem.h"
#include "config/read.h"

static void read_group(struct reader *reader, const struct value *value, void *out)
{
	static const struct field members = FIELD("", read_texts, .check = check_group_member);
	struct config *config = out;
	struct config_group *group = array_add(&config->groups);

	if (!group) {
		read_no_memory(reader);
		return;
	}

	read_copy(reader, &group->name, value->key);
	group->place = value_place(reader, value);
	read_texts(reader, value, &members, &group->members);
}

READ_FUNCTION(read_groups)
{
	static const struct map map = { READ_LIST_MAX, "groups", check_group, read_group };

	(void)field;
	read_map(reader, value, &map, out);
}

static void read_host(struct reader *reader, const struct value *value, void *out)
{
	const char *text = read_nonempty(reader, value);
	struct config *config = out;
	struct config_host *host = array_add(&config->hosts);

	if (!host) {
		read_no_memory(reader);
		return;
	}

	read_copy(reader, &host->name, value->key);
	host->place = value_place(reader, value);
	claim_name(reader, value, CLAIM_HOST, value->key);
	if (text)
		read_range_text(reader, value, text, &host->range);
}

READ_FUNCTION(read_hosts)
{
	static const struct map map = { READ_LIST_MAX, "hosts", check_selector_name, read_host };

	(void)field;
	read_map(reader, value, &map, out);
}
