// SPDX-License-Identifier: GPL-2.0-only
/* Addresses, prefixes, ranges and endpoints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "config/read.h"

#define DEFAULT_PORT "51820" /* what a suggestion puts where the port is missing */

static bool count_prefix(struct reader *reader, const struct value *value)
{
	if (++reader->prefixes == READ_PREFIXES_MAX + 1)
		read_error(reader, value, "more than %d addresses and prefixes in the file",
			   READ_PREFIXES_MAX);
	return reader->prefixes <= READ_PREFIXES_MAX;
}

/* "100.80.0.10" of "100.80.0.10/24", or NULL. */
static const char *without_length(char buf[ADDR_TEXT_SIZE], const char *text)
{
	size_t length = strcspn(text, "/");
	struct addr addr;

	if (!text[length] || length >= ADDR_TEXT_SIZE)
		return NULL;
	memcpy(buf, text, length);
	buf[length] = '\0';
	return addr_read(buf, &addr) ? NULL : buf;
}

bool read_addr_text(struct reader *reader, const struct value *value, const char *text,
		    struct addr *out)
{
	char meant[ADDR_TEXT_SIZE];

	if (!count_prefix(reader, value))
		return false;
	if (!addr_read(text, out))
		return true;
	read_error_meant(reader, value, without_length(meant, text), "%s is not a host address",
			 QUOTE(text));
	return false;
}

bool read_prefix_text(struct reader *reader, const struct value *value, const char *text,
		      struct prefix *out)
{
	char meant[PREFIX_TEXT_SIZE];
	int r;

	if (!count_prefix(reader, value))
		return false;
	r = prefix_read(text, out);
	if (!r)
		return true;
	if (r == -EDOM)
		read_error_meant(reader, value, prefix_put(meant, out), "%s has host bits set",
				 QUOTE(text));
	else
		read_error(reader, value, "%s is not a prefix, such as 10.10.30.0/24", QUOTE(text));
	return false;
}

/* "10.0.0.1-10.0.0.9" of "10.0.0.9-10.0.0.1", or NULL. */
static const char *turned_round(char buf[RANGE_TEXT_SIZE], const char *text)
{
	const char *dash = strchr(text, '-');
	struct addr_range range;

	if (!dash || strlen(text) >= RANGE_TEXT_SIZE)
		return NULL;
	snprintf(buf, RANGE_TEXT_SIZE, "%s-%.*s", dash + 1, (int)(dash - text), text);
	return addr_range_read(buf, &range) ? NULL : buf;
}

bool read_range_text(struct reader *reader, const struct value *value, const char *text,
		     struct addr_range *out)
{
	char meant[RANGE_TEXT_SIZE];
	struct prefix prefix;

	if (strchr(text, '-')) {
		if (!count_prefix(reader, value))
			return false;
		if (!addr_range_read(text, out))
			return true;
		read_error_meant(reader, value, turned_round(meant, text),
				 "%s is not an address range", QUOTE(text));
		return false;
	}

	if (prefix_read(text, &prefix) == -EINVAL) {
		read_error(reader, value, "%s is not an address, a prefix or a range", QUOTE(text));
		return false;
	}
	if (!read_prefix_text(reader, value, text, &prefix))
		return false;
	*out = prefix_range(&prefix);
	return true;
}

READ_FUNCTION(read_addr)
{
	const char *text = read_nonempty(reader, value);

	(void)field;
	if (text)
		read_addr_text(reader, value, text, out);
}

struct addr *read_addr_item(struct reader *reader, const struct value *value,
			    struct config_addrs *addrs)
{
	const char *text = read_nonempty(reader, value);
	struct addr *added;
	struct addr addr;

	if (!text || !read_addr_text(reader, value, text, &addr))
		return NULL;
	added = array_add(addrs);
	if (!added) {
		read_no_memory(reader);
		return NULL;
	}
	*added = addr;
	return added;
}

READ_FUNCTION(read_addrs)
{
	struct config_addrs *addrs = out;

	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;
	if (field->not_empty && !json_first(value->json))
		read_error(reader, value, "must not be empty");
	for (struct value item = value_first(value); item.json; value_next(&item))
		read_addr_item(reader, &item, addrs);
	array_fit(addrs);
}

/* Why no machine can have this address in the mesh, or NULL. */
static const char *unfit_reason(const struct addr *addr)
{
	const uint8_t *v4 = addr->bytes + ADDR_MAPPED_BITS / 8;
	static const uint8_t v6_loopback[16] = { [15] = 1 };

	if (addr_is_v4(addr)) {
		if (v4[0] == 0)
			return "an address of \"this network\"";
		if (v4[0] == 127)
			return "a loopback address";
		if ((v4[0] & 0xf0) == 0xe0)
			return "a multicast address";
		return v4[0] >= 0xf0 ? "a reserved address" : NULL;
	}
	if (addr_is_zero(addr))
		return "the unspecified address";
	if (!memcmp(addr->bytes, v6_loopback, sizeof(v6_loopback)))
		return "the loopback address";
	if (addr->bytes[0] == 0xff)
		return "a multicast address";
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80 ? "a link-local address"
									 : NULL;
}

READ_FUNCTION(read_mesh_addrs)
{
	struct config_addrs *addrs = out;

	(void)field;
	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;
	if (!json_first(value->json))
		read_error(reader, value, "must not be empty");

	for (struct value item = value_first(value); item.json; value_next(&item)) {
		struct addr *added = read_addr_item(reader, &item, addrs);
		const char *reason = added ? unfit_reason(added) : NULL;

		if (reason)
			read_error(reader, &item, "%s is %s, not one of a mesh member",
				   QUOTE(json_string(item.json)), reason);
		else if (added)
			claim_address(reader, &item, added);
	}
	array_fit(addrs);
}

READ_FUNCTION(read_prefixes)
{
	struct config_prefixes *prefixes = out;

	(void)field;
	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;

	for (struct value item = value_first(value); item.json; value_next(&item)) {
		const char *text = read_nonempty(reader, &item);
		struct prefix *added, prefix;

		if (!text || !read_prefix_text(reader, &item, text, &prefix))
			continue;
		added = array_add(prefixes);
		if (!added) {
			read_no_memory(reader);
			continue;
		}
		*added = prefix;
	}
	array_fit(prefixes);
}

bool read_prefix_key(struct reader *reader, const struct value *value, struct seen *seen,
		     struct prefix *out)
{
	/* the same prefix can be spelt in two ways, which a repeated key does not show */
	return read_prefix_text(reader, value, value->key, out) &&
	       claim_once(reader, value, seen, out, sizeof(*out), QUOTE(value->key));
}

/* Splits at the last colon, or at the one behind the closing bracket. */
int host_port_split(const char *text, char **host, uint16_t *port)
{
	bool bracketed = text[0] == '[';
	const char *end = bracketed ? strchr(text, ']') : strrchr(text, ':');
	const char *begin = text + bracketed;
	uint64_t number;
	char *copy;

	if (!end || end == begin || end[bracketed] != ':' ||
	    num_read(end + bracketed + 1, 1, UINT16_MAX, &number))
		return -EINVAL;
	if (!bracketed && memchr(text, ':', (size_t)(end - text)))
		return -EINVAL; /* IPv6 goes into brackets */

	copy = mem_format("%.*s", (int)(end - begin), begin);
	if (!copy)
		return -ENOMEM;
	*host = copy;
	*port = (uint16_t)number;
	return 0;
}

/* A literal, or a DNS name that cannot be taken for a misspelt one. */
static bool is_host(const char *host, bool bracketed)
{
	struct addr addr;

	if (!addr_read(host, &addr))
		return addr_is_v4(&addr) != bracketed;
	return !bracketed && domain_is_valid(host);
}

/* "[v6]" of the first length bytes when these are IPv6, with brackets or without; or NULL. */
static const char *bracketed_v6(char buf[ADDR_TEXT_SIZE + 2], const char *text, size_t length)
{
	struct addr addr;

	if (length && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= ADDR_TEXT_SIZE)
		return NULL;
	snprintf(buf, ADDR_TEXT_SIZE + 2, "[%.*s", (int)length, text);
	if (addr_read(buf + 1, &addr) || addr_is_v4(&addr))
		return NULL;
	return strcat(buf, "]");
}

/* What was meant by an endpoint without a port or without brackets, or NULL. */
static const char *endpoint_meant(char *buf, size_t size, const char *text)
{
	size_t length = strlen(text);
	const char *colon = strrchr(text, ':');
	char v6[ADDR_TEXT_SIZE + 2];
	uint64_t port;

	if (colon && !num_read(colon + 1, 1, UINT16_MAX, &port) &&
	    bracketed_v6(v6, text, (size_t)(colon - text)))
		snprintf(buf, size, "%s%s", v6, colon);
	else if (bracketed_v6(v6, text, length))
		snprintf(buf, size, "%s:" DEFAULT_PORT, v6);
	else if (!colon && is_host(text, false))
		snprintf(buf, size, "%s:" DEFAULT_PORT, text);
	else
		return NULL;
	return buf;
}

/* With a zone ("fe80::1%eth0") or without. */
static bool is_link_local(const char *host)
{
	size_t length = strcspn(host, "%");
	char plain[ADDR_TEXT_SIZE];
	struct addr addr;

	if (length >= sizeof(plain))
		return false;
	snprintf(plain, sizeof(plain), "%.*s", (int)length, host);
	return !addr_read(plain, &addr) && addr_is_link_local(&addr);
}

READ_FUNCTION(read_endpoint)
{
	const char *text = read_nonempty(reader, value);
	struct config_endpoint *endpoint = out;
	AUTO_FREE char *host = NULL;
	const char *meant;
	char buf[300];
	int r;

	(void)field;
	if (!text)
		return;

	r = host_port_split(text, &host, &endpoint->port);
	if (r == -ENOMEM) {
		read_no_memory(reader);
		return;
	}
	if (!r && is_link_local(host)) {
		read_error(reader, value,
			   "%s is link-local, which is another machine on each link; name a global "
			   "address, or leave it out and let the other end call",
			   QUOTE(text));
		return;
	}
	if (r || !is_host(host, text[0] == '[')) {
		meant = endpoint_meant(buf, sizeof(buf), text);
		read_error_meant(reader, value, meant, "%s is not an endpoint%s", QUOTE(text),
				 meant ? "" : ", such as vpn.example.org:51820");
		return;
	}

	free(endpoint->host);
	endpoint->host = TAKE(host);
}
