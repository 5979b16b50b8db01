// SPDX-License-Identifier: GPL-2.0-only
/* The top of the policy file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define VERSION 1

static READ_FUNCTION(read_version)
{
	(void)field;
	(void)out;
	if (!read_is(reader, value, JSON_NUMBER))
		return;
	if (json_number(value->json) != VERSION)
		read_error(reader, value, "must be %d: this towpath reads no other version",
			   VERSION);
}

static const char *const enforce_modes[] = {
	[ENFORCE_ON] = "on",
	[ENFORCE_LOG] = "log",
	NULL,
};

#define AT(member) .offset = offsetof(struct config, member)

const struct field top_fields[] = {
	FIELD("version", read_version, .required = true, .mend = "; add \"version\": 1"),
	FIELD("enforce", read_word, AT(enforce), .words = enforce_modes),
	FIELD("tunnel", read_tunnel, AT(tunnel)),
	FIELD("nodes", read_nodes),
	FIELD("peers", read_peers),
	FIELD("gateways", read_gateways),
	FIELD("client", read_client, AT(client)),
	FIELD("groups", read_groups),
	FIELD("hosts", read_hosts),
	FIELD("auto_approvers", read_approvers),
	FIELD("routes", read_routes),
	FIELD("grants", read_grants),
	FIELD("tests", read_tests),
	FIELD("services", read_services),
	FIELD("socket_lb", read_socket_lb, AT(socket_lb)),
	FIELD("metrics", read_metrics),
	FIELD("limits", read_limits, AT(limits)),
	{ .key = NULL },
};

const struct field_table read_tables[] = {
	{ "policy", top_fields },
	{ "tunnel", tunnel_fields },
	{ "client", client_fields },
	{ "node", node_fields },
	{ "peer", peer_fields },
	{ "gateway", gateway_fields },
	{ "route", route_fields },
	{ "route_probe", route_probe_fields },
	{ "auto_approvers", approver_fields },
	{ "grant", grant_fields },
	{ "test", test_fields },
	{ "service", service_fields },
	{ "service_port", service_port_fields },
	{ "service_probe", service_probe_fields },
	{ "socket_lb", socket_lb_fields },
	{ "exempt", exempt_fields },
	{ "metrics", metrics_fields },
	{ "limits", limits_fields },
	{ "timeouts", timeouts_fields },
	{ NULL, NULL },
};

/* NULL when memory is out. */
static struct config *config_new(struct reader *reader)
{
	struct config *config = mem_alloc(1, sizeof(*config));

	if (!config) {
		read_no_memory(reader);
		return NULL;
	}
	tunnel_defaults(reader, &config->tunnel);
	client_defaults(&config->client);
	socket_lb_defaults(reader, &config->socket_lb);
	limits_defaults(&config->limits);
	return config;
}

static void seen_free_all(struct reader *reader)
{
	seen_free(&reader->names);
	seen_free(&reader->entries);
	seen_free(&reader->keys);
	seen_free(&reader->addresses);
	seen_free(&reader->routes);
	seen_free(&reader->approvers);
	seen_free(&reader->members);
	seen_free(&reader->virtuals);
}

/*
 * "tunnel" and "client", which nodes and peers write over, and "gateways", whose nodes may share
 * a key. Their errors are reported when they are read in their turn.
 */
static void read_bases(struct reader *reader, const struct value *top, struct config *bases)
{
	static const struct field base_fields[] = {
		FIELD("tunnel", read_tunnel, AT(tunnel)),
		FIELD("client", read_client, AT(client)),
		FIELD("gateways", read_gateways),
		{ .key = NULL },
	};
	const struct field *field;

	if (json_type(top->json) != JSON_OBJECT)
		return;
	for (field = base_fields; field->key; field++) {
		const struct value section = value_find(top, field->key);

		if (section.json)
			field->read(reader, &section, field, (char *)bases + field->offset);
	}
}

static int read_top(const struct json *root, struct config **out, struct problems *problems)
{
	const struct value top = { .json = root };
	struct problems unsaid = { 0 };
	struct reader ahead = { .problems = &unsaid };
	struct reader reader = { .problems = problems };
	struct config *bases = config_new(&ahead);
	struct config *config = config_new(&reader);
	int r;

	if (bases)
		read_bases(&ahead, &top, bases);
	reader.bases = bases;
	reader.base_members = &ahead.members;
	if (config && !ahead.r && !reader.r)
		read_object(&reader, &top, top_fields, config);

	r = ahead.r ? ahead.r : reader.r;
	if (!r && reader.errors)
		r = -EINVAL;
	if (!r)
		*out = TAKE(config);

	seen_free_all(&ahead);
	seen_free_all(&reader);
	problems_free(&unsaid);
	config_free(bases);
	config_free(config);
	return r;
}

static int report_syntax(const struct json_error *error, struct problems *problems)
{
	char place[64] = "$";

	if (error->line)
		snprintf(place, sizeof(place), "line %zu column %zu", error->line, error->column);
	return problems_add(problems, place, "%s", error->text) ? -ENOMEM : -EINVAL;
}

int config_read(const char *text, size_t length, struct config **out, struct problems *problems)
{
	struct config *config = NULL;
	struct json_error error;
	struct json *root = NULL;
	int r;

	r = json_read(text, length, &root, &error);
	if (r == -EINVAL)
		return report_syntax(&error, problems);
	if (r)
		return r;

	r = read_top(root, &config, problems);
	json_free(root);
	if (r)
		return r;

	hash_bytes(text, length, config->hash);
	*out = config;
	return 0;
}
