// SPDX-License-Identifier: GPL-2.0-only
/* "socket_lb": whose connect() is translated. */
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define DEFAULT_CGROUP "auto"
#define PID_MAX        4194304 /* PID_MAX_LIMIT of the kernel */
#define FOREIGN_MAX    1024

#define EXEMPT_AT(member) .offset = offsetof(struct config_exempt, member)

const struct field exempt_fields[] = {
	FIELD("netns", read_string, EXEMPT_AT(netns), .check = check_netns),
	FIELD("interface", read_string, EXEMPT_AT(interface), .check = check_interface_glob),
	FIELD("pid", read_u32, EXEMPT_AT(pid), .min = 1, .max = PID_MAX),
	{ .key = NULL },
};

static void read_exempt(struct reader *reader, const struct value *value,
			struct config_socket_lb *lb)
{
	struct config_exempt *exempt = array_add(&lb->exempt);
	size_t errors = reader->errors;

	if (!exempt) {
		read_no_memory(reader);
		return;
	}

	exempt->place = value_place(reader, value);
	read_object(reader, value, exempt_fields, exempt);
	if (reader->errors == errors && !!exempt->netns + !!exempt->interface + !!exempt->pid != 1)
		read_error(reader, value,
			   "must have exactly one of \"netns\", \"interface\" and \"pid\"");
}

static READ_FUNCTION(read_exempts)
{
	(void)field;
	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;
	for (struct value item = value_first(value); item.json; value_next(&item))
		read_exempt(reader, &item, out);
}

static const char *const modes[] = {
	[LB_MODE_ALL] = "all",
	[LB_MODE_HOST_ONLY] = "host-only",
	[LB_MODE_OFF] = "off",
	NULL,
};

static const char *const foreign_modes[] = {
	[FOREIGN_OFF] = "off",
	[FOREIGN_HIDE] = "hide",
	NULL,
};

static READ_FUNCTION(read_foreign_serves)
{
	struct config_socket_lb *lb = out;

	if (read_is_list(reader, value, FOREIGN_MAX, "entries"))
		read_prefixes(reader, value, field, &lb->foreign_serves);
}

#define AT(member) .offset = offsetof(struct config_socket_lb, member)

const struct field socket_lb_fields[] = {
	FIELD("mode", read_word, AT(mode), .words = modes),
	FIELD("cgroup", read_string, AT(cgroup), .check = check_cgroup),
	FIELD("exempt", read_exempts),
	FIELD("foreign", read_word, AT(foreign), .words = foreign_modes),
	FIELD("foreign_serves", read_foreign_serves),
	{ .key = NULL },
};

void socket_lb_defaults(struct reader *reader, struct config_socket_lb *lb)
{
	read_copy(reader, &lb->cgroup, DEFAULT_CGROUP);
}

READ_FUNCTION(read_socket_lb)
{
	struct config_socket_lb *lb = out;
	size_t errors = reader->errors;

	(void)field;
	lb->set = true;
	read_object(reader, value, socket_lb_fields, lb);
	if (reader->errors == errors && lb->foreign_serves.count && lb->foreign == FOREIGN_OFF)
		read_error(
			reader, value,
			"\"foreign_serves\" is for \"foreign\": \"hide\": without it, other tools "
			"serve all");
}

bool config_uses_cgroup(const struct config *config)
{
	const struct config_socket_lb *lb = &config->socket_lb;

	return (config->services.count && lb->mode != LB_MODE_OFF) || lb->foreign == FOREIGN_HIDE;
}

const struct config_service *config_find_probed(const struct config *config)
{
	const struct config_service *service;

	array_for_each(service, &config->services)
		if (service->health.set)
			return service;
	return NULL;
}
