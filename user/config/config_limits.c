// SPDX-License-Identifier: GPL-2.0-only
/* "limits" and "metrics". */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "config/read.h"

#define FLOWS_MIN   1024
#define FLOWS_MAX   16777216
#define TIMEOUT_MAX 31536000 /* a year; in nanoseconds it still leaves room in 64 bits */

/* "16384-29999"; -EINVAL: no such form, -EDOM: reversed, -ERANGE */
static int snat_ports_read(const char *text, uint16_t *min, uint16_t *max)
{
	size_t length = strcspn(text, "-");
	uint64_t first, last;
	int r;

	if (!text[length])
		return -EINVAL;
	r = num_read_n(text, length, 1, UINT16_MAX, &first);
	if (!r)
		r = num_read(text + length + 1, 1, UINT16_MAX, &last);
	if (r)
		return r;
	if (first > last)
		return -EDOM;
	*min = (uint16_t)first;
	*max = (uint16_t)last;
	return 0;
}

static READ_FUNCTION(read_snat_ports)
{
	const char *text = read_nonempty(reader, value);
	struct config_limits *limits = out;
	char meant[32];
	int r;

	(void)field;
	if (!text)
		return;
	r = snat_ports_read(text, &limits->port_min, &limits->port_max);
	if (r == -EDOM) {
		const char *dash = strchr(text, '-');

		snprintf(meant, sizeof(meant), "%s-%.*s", dash + 1, (int)(dash - text), text);
		read_error_meant(reader, value, meant, "%s is a reversed range", QUOTE(text));
	} else if (r == -ERANGE) {
		read_error(reader, value, "%s: ports are 1 to 65535", QUOTE(text));
	} else if (r) {
		read_error(reader, value, "%s is not a range of ports, such as 16384-29999",
			   QUOTE(text));
	}
}

#define AT(member)      .offset = offsetof(struct config_limits, member)
#define TIMEOUT(member) FIELD(#member, read_u32, AT(member), .min = 1, .max = TIMEOUT_MAX)

const struct field timeouts_fields[] = {
	TIMEOUT(tcp_opening), TIMEOUT(tcp_established), TIMEOUT(tcp_closing), TIMEOUT(udp),
	TIMEOUT(icmp),        TIMEOUT(other),           { .key = NULL },
};

static READ_FUNCTION(read_timeouts)
{
	(void)field;
	read_object(reader, value, timeouts_fields, out);
}

const struct field limits_fields[] = {
	FIELD("flows", read_u32, AT(flows), .min = FLOWS_MIN, .max = FLOWS_MAX),
	FIELD("snat_ports", read_snat_ports),
	FIELD("timeouts", read_timeouts),
	{ .key = NULL },
};

void limits_defaults(struct config_limits *limits)
{
	*limits = (struct config_limits){
		.flows = 262144,
		.port_min = 16384,
		.port_max = 29999,
		.tcp_opening = 240,
		.tcp_established = 7440,
		.tcp_closing = 240,
		.udp = 300,
		.icmp = 60,
		.other = 600,
	};
}

READ_FUNCTION(read_limits)
{
	(void)field;
	read_object(reader, value, limits_fields, out);
}

/* Of ":9586" or "localhost:9586", or NULL. */
static const char *listen_meant(char *buf, size_t size, const char *text)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (!colon || num_read(colon + 1, 1, UINT16_MAX, &port) ||
	    (colon != text && strncmp(text, "localhost:", strlen("localhost:")) != 0))
		return NULL;
	snprintf(buf, size, "127.0.0.1:%u", (unsigned int)port);
	return buf;
}

static READ_FUNCTION(read_listen)
{
	const char *text = read_nonempty(reader, value);
	struct config *config = out;
	struct endpoint endpoint;
	const char *meant;
	char buf[32];

	(void)field;
	if (!text)
		return;
	if (endpoint_read(text, &endpoint) || !endpoint.port) {
		meant = listen_meant(buf, sizeof(buf), text);
		read_error_meant(reader, value, meant, "%s is not an address and port%s",
				 QUOTE(text), meant ? "" : ", such as 127.0.0.1:9586");
		return;
	}
	config->metrics_set = true;
	read_copy(reader, &config->metrics_listen, text);
}

const struct field metrics_fields[] = {
	FIELD("listen", read_listen, .nullable = true),
	{ .key = NULL },
};

READ_FUNCTION(read_metrics)
{
	(void)field;
	read_object(reader, value, metrics_fields, out);
}
