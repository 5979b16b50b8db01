// SPDX-License-Identifier: GPL-2.0-only
/* "auto_approvers": whose routes the mesh uses. */
#include "base/mem.h"
#include "config/read.h"

static void read_approver(struct reader *reader, const struct value *value, void *out)
{
	static const struct field who = FIELD("", read_texts, .check = check_owner);
	struct config *config = out;
	struct config_approver *approver = array_add(&config->route_approvers);

	if (!approver) {
		read_no_memory(reader);
		return;
	}

	approver->place = value_place(reader, value);
	if (read_prefix_key(reader, value, &reader->approvers, &approver->prefix) &&
	    prefix_is_default(&approver->prefix))
		read_error(reader, value, "%s is an exit route; name its approvers in exit_node",
			   QUOTE(value->key));
	read_texts(reader, value, &who, &approver->who);
}

static READ_FUNCTION(read_route_approvers)
{
	static const struct map map = { READ_LIST_MAX, "prefixes", NULL, read_approver };

	(void)field;
	read_map(reader, value, &map, out);
}

const struct field approver_fields[] = {
	FIELD("routes", read_route_approvers),
	FIELD("exit_node", read_texts, .offset = offsetof(struct config, exit_approvers),
	      .check = check_owner),
	{ .key = NULL },
};

READ_FUNCTION(read_approvers)
{
	(void)field;
	read_object(reader, value, approver_fields, out);
}
