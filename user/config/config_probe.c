// SPDX-License-Identifier: GPL-2.0-only
/* What is asked whether it lives: the target of a route, the backends of a service. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "config/read.h"

#define ROUTE_INTERVAL_MS   300
#define SERVICE_INTERVAL_MS 1000
#define DEFAULT_FAIL        3
#define DEFAULT_RISE        2
#define INTERVAL_MS_MIN     10
#define INTERVAL_MS_MAX     3600000
#define TRIES_MAX           100

/* The text behind "PROTOCOL:", or NULL. */
static const char *behind(const char *text, const char *protocol)
{
	size_t length = strlen(protocol);

	return !strncmp(text, protocol, length) && text[length] == ':' ? text + length + 1 : NULL;
}

/* "tcp:10.10.30.53:53", "icmp:10.10.30.1" */
static const char *target_read(const char *text, struct endpoint *out)
{
	static const char *const with_port[] = { "tcp", "udp" };
	const char *rest;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(with_port); i++) {
		rest = behind(text, with_port[i]);
		if (rest)
			return !endpoint_read(rest, out) && out->port ? with_port[i] : NULL;
	}

	rest = behind(text, "icmp");
	return rest && !addr_read(rest, &out->addr) ? "icmp" : NULL;
}

static READ_FUNCTION(read_target)
{
	const char *text = read_nonempty(reader, value);
	struct config_probe *probe = out;
	const char *protocol;

	(void)field;
	if (!text)
		return;
	protocol = target_read(text, &probe->target);
	if (protocol)
		read_copy(reader, &probe->protocol, protocol);
	else
		read_error(reader, value,
			   "%s is not a target, such as tcp:10.10.30.53:53 or icmp:10.10.30.1",
			   QUOTE(text));
}

/* "80/path" */
static bool http_read(const char *text, uint16_t *port, const char **path)
{
	size_t length = strcspn(text, "/");
	uint64_t number;

	if (!text[length] || num_read_n(text, length, 1, UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	*path = text + length;
	return true;
}

/* "tcp:53", "udp:53", "http:80/path" */
static const char *health_read(const char *text, uint16_t *port, const char **path)
{
	static const char *const plain[] = { "tcp", "udp" };
	const char *rest;
	uint64_t number;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		rest = behind(text, plain[i]);
		if (!rest)
			continue;
		if (num_read(rest, 1, UINT16_MAX, &number))
			return NULL;
		*port = (uint16_t)number;
		return plain[i];
	}

	rest = behind(text, "http");
	return rest && http_read(rest, port, path) ? "http" : NULL;
}

static READ_FUNCTION(read_health)
{
	const char *text = read_nonempty(reader, value);
	struct config_probe *probe = out;
	const char *path = NULL;
	const char *protocol;

	(void)field;
	if (!text)
		return;
	protocol = health_read(text, &probe->target.port, &path);
	if (!protocol) {
		read_error(reader, value, "%s is not a probe, such as tcp:53 or http:80/path",
			   QUOTE(text));
		return;
	}
	read_copy(reader, &probe->protocol, protocol);
	if (path)
		read_copy(reader, &probe->http_path, path);
}

#define AT(member) .offset = offsetof(struct config_probe, member)
#define TIMING                                                                  \
	FIELD("interval_ms", read_u32, AT(interval_ms), .min = INTERVAL_MS_MIN, \
	      .max = INTERVAL_MS_MAX),                                          \
		FIELD("fail", read_u32, AT(fail), .min = 1, .max = TRIES_MAX),  \
		FIELD("rise", read_u32, AT(rise), .min = 1, .max = TRIES_MAX)

const struct field route_probe_fields[] = {
	FIELD("target", read_target, .required = true),
	TIMING,
	{ .key = NULL },
};

const struct field service_probe_fields[] = {
	FIELD("probe", read_health, .required = true),
	TIMING,
	{ .key = NULL },
};

static void read_probe(struct reader *reader, const struct value *value, const struct field *fields,
		       uint32_t interval_ms, struct config_probe *probe)
{
	probe->set = true;
	probe->interval_ms = interval_ms;
	probe->fail = DEFAULT_FAIL;
	probe->rise = DEFAULT_RISE;
	read_object(reader, value, fields, probe);
}

READ_FUNCTION(read_route_probe)
{
	(void)field;
	read_probe(reader, value, route_probe_fields, ROUTE_INTERVAL_MS, out);
}

READ_FUNCTION(read_service_probe)
{
	(void)field;
	read_probe(reader, value, service_probe_fields, SERVICE_INTERVAL_MS, out);
}
