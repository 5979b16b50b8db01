// SPDX-License-Identifier: GPL-2.0-only
/* Protocols and ports, as grants and tests write them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "config/read.h"

#define PORT_MAX   65535
#define MEANT_SIZE 96

static const struct protocol {
	const char *name;
	uint8_t number;
	bool has_ports;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, true },
	{ "udp", IPPROTO_UDP, true },
	{ "sctp", IPPROTO_SCTP, true },
	{ "icmp", IPPROTO_ICMP, false },
};

/* Names people try, and how they are written. */
static const struct {
	const char *name, *meant;
} others[] = {
	{ "icmp6", "icmp:*" },   { "icmpv6", "icmp:*" }, { "ping", "icmp:*" },
	{ "igmp", "proto:2" },   { "ipip", "proto:4" },  { "gre", "proto:47" },
	{ "esp", "proto:50" },   { "ah", "proto:51" },   { "ospf", "proto:89" },
	{ "vrrp", "proto:112" }, { "any", "*" },         { "all", "*" },
};

static const struct protocol *protocol_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protocols); i++)
		if (!strcmp(protocols[i].name, name))
			return &protocols[i];
	return NULL;
}

/* What an unknown protocol with `rest` (":443" or nothing) behind it was meant to be, or NULL. */
static const char *protocol_meant(char buf[MEANT_SIZE], const char *name, const char *rest)
{
	const char *names[ARRAY_SIZE(protocols)];
	const char *nearest;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(others[i].name, name))
			return others[i].meant;

	for (i = 0; i < ARRAY_SIZE(protocols); i++)
		names[i] = protocols[i].name;
	nearest = nearest_word(name, names, ARRAY_SIZE(names));
	if (!nearest)
		return NULL;
	snprintf(buf, MEANT_SIZE, "%s%s", nearest, rest);
	return buf;
}

/* "1-52", "443"; -EINVAL: neither. */
static int range_read(const char *text, uint64_t *first, uint64_t *last)
{
	size_t length = strcspn(text, "-");
	int r = num_read_n(text, length, 0, UINT32_MAX, first);

	if (r)
		return r;
	*last = *first;
	return text[length] ? num_read(text + length + 1, 0, UINT32_MAX, last) : 0;
}

bool read_ports_text(struct reader *reader, const struct value *value, const char *before,
		     const char *ports, struct config_match *out)
{
	const char *whole = json_string(value->json);
	char meant[MEANT_SIZE];
	uint64_t first, last;

	out->has_ports = strcmp(ports, "*") != 0;
	out->port_min = 0;
	out->port_max = PORT_MAX;
	if (!out->has_ports)
		return true;

	if (range_read(ports, &first, &last)) {
		read_error(reader, value, "%s: %s is not a port, a range or \"*\"", QUOTE(whole),
			   QUOTE(ports));
	} else if (first > PORT_MAX || last > PORT_MAX) {
		read_error(reader, value, "%s: ports end at %d", QUOTE(whole), PORT_MAX);
	} else if (first > last) {
		snprintf(meant, sizeof(meant), "%s%u-%u", before, (unsigned int)last,
			 (unsigned int)first);
		read_error_meant(reader, value, meant, "%s is a reversed range", QUOTE(whole));
	} else if (!first) {
		if (last)
			snprintf(meant, sizeof(meant), "%s1-%u", before, (unsigned int)last);
		else
			snprintf(meant, sizeof(meant), "%s*", before);
		read_error_meant(reader, value, meant, "%s: there is no port 0", QUOTE(whole));
	} else {
		out->port_min = (uint16_t)first;
		out->port_max = (uint16_t)last;
		return true;
	}
	return false;
}

/* It has a form of its own, which stands for its queries: errors follow their flow. */
static bool is_icmp(uint64_t number)
{
	return number == IPPROTO_ICMP || number == IPPROTO_ICMPV6;
}

/* The "47" of "proto:47". */
static bool read_number_text(struct reader *reader, const struct value *value, const char *number,
			     uint8_t *proto)
{
	const char *whole = json_string(value->json);
	uint64_t read;

	if (num_read(number, 1, UINT8_MAX, &read)) {
		read_error(reader, value, "%s: a protocol is a number from 1 to 255", QUOTE(whole));
		return false;
	}
	if (is_icmp(read)) {
		read_error_meant(reader, value, "icmp:*", "%s is icmp", QUOTE(whole));
		return false;
	}
	*proto = (uint8_t)read;
	return true;
}

static bool read_bare(struct reader *reader, const struct value *value, const char *text,
		      struct config_match *out)
{
	const struct protocol *protocol = protocol_find(text);
	char meant[MEANT_SIZE];

	if (text[0] >= '0' && text[0] <= '9' && !strchr(text, ',')) {
		out->proto = IPPROTO_TCP;
		out->both = true;
		return read_ports_text(reader, value, "", text, out);
	}

	snprintf(meant, sizeof(meant), "%s:*", text);
	if (protocol)
		read_error_meant(reader, value, meant, "%s %s", QUOTE(text),
				 protocol->has_ports ? "names no ports" : "is incomplete");
	else
		read_error_meant(reader, value, protocol_meant(meant, text, ":*"),
				 "%s is neither a port nor a protocol", QUOTE(text));
	return false;
}

static bool read_named(struct reader *reader, const struct value *value, const char *name,
		       const char *ports, struct config_match *out)
{
	const struct protocol *protocol = protocol_find(name);
	const char *whole = json_string(value->json);
	char meant[MEANT_SIZE];
	char before[16];

	if (!strcmp(name, "proto")) {
		out->port_max = PORT_MAX;
		return read_number_text(reader, value, ports, &out->proto);
	}
	if (!protocol) {
		read_error_meant(reader, value, protocol_meant(meant, name, whole + strlen(name)),
				 "%s: unknown protocol %s", QUOTE(whole), QUOTE(name));
		return false;
	}

	out->proto = protocol->number;
	if (protocol->has_ports) {
		snprintf(before, sizeof(before), "%s:", name);
		return read_ports_text(reader, value, before, ports, out);
	}
	out->port_max = PORT_MAX;
	if (!strcmp(ports, "*"))
		return true;
	read_error_meant(reader, value, "icmp:*", "%s: icmp has no ports and no types",
			 QUOTE(whole));
	return false;
}

bool read_match_text(struct reader *reader, const struct value *value, const char *text,
		     struct config_match *out)
{
	const char *colon = strchr(text, ':');
	struct config_match match = { 0 };
	AUTO_FREE char *name = NULL;
	bool good;

	if (!strcmp(text, "*")) {
		match.any = true;
		match.port_max = PORT_MAX;
		*out = match;
		return true;
	}
	if (strchr(text, ',')) {
		read_error(reader, value, "%s is a list; write each as an entry of its own",
			   QUOTE(text));
		return false;
	}

	if (colon) {
		name = mem_format("%.*s", (int)(colon - text), text);
		if (!name) {
			read_no_memory(reader);
			return false;
		}
	}
	good = colon ? read_named(reader, value, name, colon + 1, &match)
		     : read_bare(reader, value, text, &match);
	if (good)
		*out = match;
	return good;
}

int protocol_read(const char *text, uint8_t *proto, bool *has_ports)
{
	const struct protocol *protocol = protocol_find(text);
	uint64_t number;

	if (protocol) {
		*proto = protocol->number;
		*has_ports = protocol->has_ports;
		return 0;
	}
	if (strncmp(text, "proto:", strlen("proto:")) ||
	    num_read(text + strlen("proto:"), 1, UINT8_MAX, &number) || is_icmp(number))
		return -EINVAL;
	*proto = (uint8_t)number;
	*has_ports = false;
	return 0;
}

bool read_protocol_text(struct reader *reader, const struct value *value, const char *text,
			uint8_t *proto)
{
	char meant[MEANT_SIZE];
	bool has_ports;

	if (!protocol_read(text, proto, &has_ports))
		return true;
	if (!strncmp(text, "proto:", strlen("proto:")))
		return read_number_text(reader, value, text + strlen("proto:"), proto);
	read_error_meant(reader, value, protocol_meant(meant, text, ""), "unknown protocol %s",
			 QUOTE(text));
	return false;
}
