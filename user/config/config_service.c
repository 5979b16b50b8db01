// SPDX-License-Identifier: GPL-2.0-only
/* "services": virtual addresses and what stands behind them. */
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define SERVICES_MAX 1024
#define BACKENDS_MAX 64
#define PORTS_MAX    1024

/* What no two services may both answer for. */
struct virtual
{
	struct addr vip;
	uint16_t port;
	uint8_t proto;
	uint8_t zero;
};

static READ_FUNCTION(read_transport)
{
	static const char *const words[] = { "tcp", "udp", NULL };
	static const uint8_t numbers[] = { IPPROTO_TCP, IPPROTO_UDP };
	const char *text = read_nonempty(reader, value);
	int choice = text ? read_choice(reader, value, text, words) : -1;

	(void)field;
	if (choice >= 0)
		*(uint8_t *)out = numbers[choice];
}

#define PORT_AT(member) .offset = offsetof(struct config_service_port, member)

const struct field service_port_fields[] = {
	FIELD("port", read_u16, PORT_AT(port), .required = true, .min = 1, .max = UINT16_MAX),
	FIELD("protocol", read_transport, PORT_AT(proto), .required = true),
	FIELD("target_port", read_u16, PORT_AT(target_port), .min = 1, .max = UINT16_MAX),
	{ .key = NULL },
};

static void read_service_port(struct reader *reader, const struct value *value,
			      struct config_service *service)
{
	struct config_service_port *port = array_add(&service->ports);
	struct virtual virtual = { .vip = service->vip };

	if (!port) {
		read_no_memory(reader);
		return;
	}

	port->place = value_place(reader, value);
	read_object(reader, value, service_port_fields, port);
	if (!port->target_port)
		port->target_port = port->port;

	virtual.port = port->port;
	virtual.proto = port->proto;
	if (port->port && port->proto && !addr_is_zero(&service->vip))
		claim_once(reader, value, &reader->virtuals, &virtual, sizeof(virtual),
			   "this address, port and protocol");
}

static READ_FUNCTION(read_service_ports)
{
	(void)field;
	if (!read_is_list(reader, value, PORTS_MAX, "ports"))
		return;
	if (!json_first(value->json))
		read_error(reader, value, "must not be empty");
	for (struct value item = value_first(value); item.json; value_next(&item))
		read_service_port(reader, &item, out);
}

/* The last of them. Probes ask an address once, and a random choice would prefer it. */
static bool is_repeated(const struct config_service *service)
{
	const struct addr *last = &service->backends.items[service->backends.count - 1], *backend;

	for (backend = service->backends.items; backend < last; backend++)
		if (addr_is_equal(backend, last))
			return true;
	return false;
}

static READ_FUNCTION(read_backends)
{
	struct config_service *service = out;

	(void)field;
	if (!read_is_list(reader, value, BACKENDS_MAX, "backends"))
		return;
	if (!json_first(value->json))
		read_error(reader, value, "must not be empty");

	for (struct value item = value_first(value); item.json; value_next(&item)) {
		struct addr *backend = read_addr_item(reader, &item, &service->backends);

		if (backend && !addr_is_zero(&service->vip) &&
		    addr_is_v4(backend) != addr_is_v4(&service->vip))
			read_error(reader, &item, "%s is not of the same family as the vip",
				   QUOTE(json_string(item.json)));
		else if (backend && is_repeated(service))
			read_error(reader, &item, "%s is in the list already",
				   QUOTE(json_string(item.json)));
	}
}

static const char *const policies[] = {
	[LB_FAILOVER] = "failover",
	[LB_RANDOM] = "random",
	[LB_SOURCE] = "source",
	NULL,
};

#define AT(member) .offset = offsetof(struct config_service, member)

const struct field service_fields[] = {
	FIELD("vip", read_addr, AT(vip), .required = true),
	FIELD("ports", read_service_ports, .required = true),
	FIELD("backends", read_backends, .required = true),
	FIELD("policy", read_word, AT(policy), .words = policies),
	FIELD("health", read_service_probe, AT(health)),
	{ .key = NULL },
};

/* Ahead of its turn: ports and backends are held against it and may stand above. */
static void find_vip(const struct value *value, struct addr *out)
{
	const struct value vip = value_find(value, "vip");

	if (vip.json && json_type(vip.json) == JSON_STRING)
		addr_read(json_string(vip.json), out); /* what is wrong with it is said later */
}

static void read_service(struct reader *reader, const struct value *value, void *out)
{
	struct config *config = out;
	struct config_service *service = array_add(&config->services);

	if (!service) {
		read_no_memory(reader);
		return;
	}

	read_copy(reader, &service->name, value->key);
	service->place = value_place(reader, value);
	service->health.place = value_place_below(reader, value, "health");
	claim_name(reader, value, CLAIM_SERVICE, value->key);
	if (json_type(value->json) == JSON_OBJECT)
		find_vip(value, &service->vip);
	read_object(reader, value, service_fields, service);
}

READ_FUNCTION(read_services)
{
	static const struct map map = { SERVICES_MAX, "services", check_selector_name,
					read_service };

	(void)field;
	read_map(reader, value, &map, out);
}
