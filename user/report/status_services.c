// SPDX-License-Identifier: GPL-2.0-only
#include "report/status_services.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "report/json_out.h"

/* Rows are read from maps, where anything may be: neither is taken on trust. */
static uint32_t backend_count(const struct tp_backends *backends)
{
	return backends->count < TP_BACKEND_MAX ? backends->count : TP_BACKEND_MAX;
}

static const char *why_name(uint32_t why)
{
	switch (why) {
	case TP_EXEMPT_NETNS: return "netns";
	case TP_EXEMPT_INTERFACE: return "interface";
	case TP_EXEMPT_PID: return "pid";
	case TP_EXEMPT_TUNNEL: return "tunnel.netns";
	default: return "unknown";
	}
}

static const char *put_addr(char *buf, const struct tp_addr *from)
{
	struct addr addr;

	memcpy(&addr, from, sizeof(addr));
	return addr_put(buf, &addr);
}

static void add_text(cJSON *item, const char *key, const char *text)
{
	char copy[TP_NAME_SIZE];

	snprintf(copy, sizeof(copy), "%.*s", TP_NAME_SIZE - 1, text);
	cJSON_AddStringToObject(item, key, copy);
}

void status_add_exempt(cJSON *root, const struct socket_lb *lb)
{
	cJSON *array = cJSON_AddArrayToObject(root, "exempt");
	const struct exempt_row *row;

	array_for_each(row, &lb->exempt) {
		cJSON *item = json_out_item(array);

		json_out_number(item, "cookie", row->cookie);
		cJSON_AddStringToObject(item, "why", why_name(row->exempt.why));
		add_text(item, "what", row->exempt.what);
		if (row->exempt.netns[0])
			add_text(item, "netns", row->exempt.netns);
		else
			cJSON_AddNullToObject(item, "netns");
	}
}

static const char *protocol_name(const struct service_row *row)
{
	return row->key.protocol == IPPROTO_UDP ? "udp" : "tcp";
}

static void add_ports(cJSON *item, const struct socket_lb *lb, uint32_t id)
{
	cJSON *array = cJSON_AddArrayToObject(item, "ports");
	const struct service_row *row;

	array_for_each(row, &lb->services) {
		cJSON *port;

		if (row->service.backends != id)
			continue;
		port = json_out_item(array);
		json_out_number(port, "port", ntohs(row->key.port));
		cJSON_AddStringToObject(port, "protocol", protocol_name(row));
		json_out_number(port, "target_port", ntohs(row->service.target_port));
	}
}

static const struct service_row *find_port(const struct socket_lb *lb, uint32_t id)
{
	const struct service_row *row;

	array_for_each(row, &lb->services)
		if (row->service.backends == id)
			return row;
	return NULL;
}

static void add_vip(cJSON *item, const struct service_row *row)
{
	char text[ADDR_TEXT_SIZE];

	if (row)
		cJSON_AddStringToObject(item, "vip", put_addr(text, &row->key.vip));
	else
		cJSON_AddNullToObject(item, "vip");
}

static void add_backends(cJSON *item, const struct tp_backends *backends)
{
	cJSON *array = cJSON_AddArrayToObject(item, "backends");
	char text[ADDR_TEXT_SIZE];

	for (uint32_t i = 0; i < backend_count(backends); i++) {
		cJSON *backend = json_out_item(array);

		cJSON_AddStringToObject(backend, "address", put_addr(text, &backends->addrs[i]));
		cJSON_AddBoolToObject(backend, "healthy", backends->healthy >> i & 1);
	}
}

void status_add_services(cJSON *root, const struct socket_lb *lb)
{
	cJSON *array = cJSON_AddArrayToObject(root, "services");
	const struct backends_row *row;

	array_for_each(row, &lb->backends) {
		cJSON *item = json_out_item(array);

		add_text(item, "name", row->backends.name);
		add_vip(item, find_port(lb, row->id));
		add_ports(item, lb, row->id);
		add_backends(item, &row->backends);
	}
}

static void add_link(void *attachments, const char *cgroup, enum socket_program program,
		     uint32_t link_id)
{
	cJSON *item = json_out_item(attachments);

	cJSON_AddStringToObject(item, "hook", "cgroup");
	cJSON_AddStringToObject(item, "device", cgroup);
	cJSON_AddStringToObject(item, "program", socket_program_name(program));
	cJSON_AddStringToObject(item, "mode", "multi");
	json_out_number(item, "link_id", link_id);
}

void status_add_socket_links(cJSON *attachments, const struct socket_lb *lb)
{
	socket_lb_each_link(lb, add_link, attachments);
}

static void print_backends(FILE *out, const struct tp_backends *backends)
{
	char text[ADDR_TEXT_SIZE];

	for (uint32_t i = 0; i < backend_count(backends); i++)
		fprintf(out, "%s%s%s", i ? ", " : "", put_addr(text, &backends->addrs[i]),
			backends->healthy >> i & 1 ? "" : " (not healthy)");
	fputc('\n', out);
}

static void print_service(FILE *out, const struct socket_lb *lb, const struct service_row *row)
{
	struct endpoint vip = { .port = ntohs(row->key.port) };
	char text[ENDPOINT_TEXT_SIZE];
	const struct backends_row *backends;

	memcpy(&vip.addr, &row->key.vip, sizeof(vip.addr));
	array_for_each(backends, &lb->backends)
		if (backends->id == row->service.backends) {
			fprintf(out, "%-16.*s %-28s %-5s ", TP_NAME_SIZE - 1,
				backends->backends.name, endpoint_put(text, &vip),
				protocol_name(row));
			print_backends(out, &backends->backends);
		}
}

static void print_exempt(FILE *out, const struct socket_lb *lb)
{
	const struct exempt_row *row;

	if (!lb->exempt.count)
		return;
	fprintf(out, "\n%-16s %-14s %-20s %s\n", "EXEMPT", "BY", "", "NETNS COOKIE");
	array_for_each(row, &lb->exempt)
		fprintf(out, "%-16.*s %-14s %-20.*s %" PRIu64 "\n", TP_NAME_SIZE - 1,
			row->exempt.netns[0] ? row->exempt.netns : "-", why_name(row->exempt.why),
			TP_NAME_SIZE - 1, row->exempt.what, row->cookie);
}

void status_print_services(FILE *out, const struct socket_lb *lb)
{
	const struct service_row *row;

	if (lb->services.count)
		fprintf(out, "\n%-16s %-28s %-5s %s\n", "SERVICE", "ADDRESS", "PROTO", "BACKENDS");
	array_for_each(row, &lb->services)
		print_service(out, lb, row);
	print_exempt(out, lb);
}
