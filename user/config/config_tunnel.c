// SPDX-License-Identifier: GPL-2.0-only
/* "tunnel": at the top, and in a node over it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define DEFAULT_INTERFACE   "towpath0"
#define DEFAULT_PRIVATE_KEY "/var/lib/towpath/private.key"
#define DEFAULT_PORT        51820
#define DEFAULT_MTU         1420
#define MTU_AUTO            0

static READ_FUNCTION(read_tunnel_mtu)
{
	if (json_type(value->json) != JSON_STRING)
		read_u16(reader, value, field, out);
	else if (!strcmp(json_string(value->json), "auto"))
		*(uint16_t *)out = MTU_AUTO;
	else
		read_error(reader, value, "must be a number or \"auto\", not %s",
			   QUOTE(json_string(value->json)));
}

/* Here null is a value: it takes back what lies below. */
static READ_FUNCTION(read_netns)
{
	char **netns = out;

	if (json_type(value->json) != JSON_NULL) {
		read_string(reader, value, field, out);
		return;
	}
	free(*netns);
	*netns = NULL;
}

static const char *const backends[] = {
	[BACKEND_AUTO] = "auto",
	[BACKEND_KERNEL] = "kernel",
	[BACKEND_USERSPACE] = "userspace",
	NULL,
};

#define AT(member) .offset = offsetof(struct config_tunnel, member)

const struct field tunnel_fields[] = {
	FIELD("interface", read_string, AT(interface), .check = check_interface),
	FIELD("listen_port", read_u16, AT(listen_port), .min = 1, .max = UINT16_MAX),
	FIELD("mtu", read_tunnel_mtu, AT(mtu), .min = READ_MTU_MIN, .max = READ_MTU_MAX),
	FIELD("private_key_file", read_string, AT(private_key_file), .check = check_path),
	FIELD("backend", read_word, AT(backend), .words = backends),
	FIELD("netns", read_netns, AT(netns), .check = check_netns),
	{ .key = NULL },
};

READ_FUNCTION(read_tunnel)
{
	struct config_tunnel *tunnel = out;

	(void)field;
	free(tunnel->place);
	tunnel->place = value_place(reader, value);
	read_object(reader, value, tunnel_fields, tunnel);
}

void tunnel_defaults(struct reader *reader, struct config_tunnel *tunnel)
{
	read_copy(reader, &tunnel->interface, DEFAULT_INTERFACE);
	read_copy(reader, &tunnel->private_key_file, DEFAULT_PRIVATE_KEY);
	read_copy(reader, &tunnel->place, "$.tunnel");
	tunnel->listen_port = DEFAULT_PORT;
	tunnel->mtu = DEFAULT_MTU;
}

/* to is empty */
void tunnel_copy(struct reader *reader, struct config_tunnel *to, const struct config_tunnel *from)
{
	*to = (struct config_tunnel){
		.listen_port = from->listen_port,
		.mtu = from->mtu,
		.backend = from->backend,
	};
	read_copy(reader, &to->interface, from->interface);
	read_copy(reader, &to->private_key_file, from->private_key_file);
	read_copy(reader, &to->place, from->place);
	if (from->netns)
		read_copy(reader, &to->netns, from->netns);
}
