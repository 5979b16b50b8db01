// SPDX-License-Identifier: GPL-2.0-only
#include "report/delta_put.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* An IPv6 range that ends in the hole of the IPv4 addresses: what it has ends before. */
static struct addr_range without_hole(const struct addr_range *range)
{
	struct addr_range out = *range;

	if (!addr_is_v4(&range->first) && addr_is_v4(&range->last)) {
		memset(out.last.bytes, 0xff, sizeof(out.last.bytes));
		memset(out.last.bytes, 0, 10);
		out.last.bytes[11] = 0xfe;
	}
	return out;
}

static bool is_prefix(const struct addr_range *range, struct prefix *out)
{
	struct prefix prefixes[ADDR_RANGE_PREFIX_MAX];

	if (addr_range_prefixes(range, prefixes) != 1)
		return false;
	*out = prefixes[0];
	return true;
}

static void put_range(FILE *out, const struct addr_range *range)
{
	struct addr_range shown = without_hole(range);
	char text[RANGE_TEXT_SIZE];
	struct prefix prefix;

	if (addr_is_equal(&shown.first, &shown.last))
		fputs(addr_put(text, &shown.first), out);
	else if (is_prefix(&shown, &prefix) || is_prefix(range, &prefix))
		fputs(prefix_put(text, &prefix), out);
	else
		fputs(addr_range_put(text, &shown), out);
}

/* Closes a memstream and gives its text, or NULL when anything was lost. */
static char *finish(FILE *out, char **text)
{
	bool failed = ferror(out) != 0;

	if (fclose(out) || failed) {
		free(*text);
		return NULL;
	}
	return *text;
}

char *delta_put_ranges(const struct ranges *ranges)
{
	const struct addr_range *range;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	array_for_each(range, ranges) {
		if (range > ranges->items)
			fputc(',', out);
		put_range(out, range);
	}
	return finish(out, &text);
}

/* As policies say it, in this order; ICMP is one in both families. */
static const struct {
	uint8_t number;
	const char *name;
} protocols[] = {
	{ IPPROTO_TCP, "tcp" },   { IPPROTO_UDP, "udp" },     { IPPROTO_SCTP, "sctp" },
	{ IPPROTO_ICMP, "icmp" }, { IPPROTO_ICMPV6, "icmp" },
};

static bool has_name(uint8_t proto)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == proto)
			return true;
	return false;
}

static void put_number_range(FILE *out, unsigned int first, unsigned int last)
{
	if (first == last)
		fprintf(out, "%u", first);
	else
		fprintf(out, "%u-%u", first, last);
}

/* The protocols without a name, which have no ports: "proto:47,50-51". NULL: memory is out. */
static char *put_unnamed(const struct delta_block *block)
{
	const struct delta_match *match, *first = NULL, *last = NULL;
	const char *before = "proto:";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	array_for_each(match, &block->matches) {
		if (has_name(match->proto))
			continue;
		if (first && match->proto == last->proto + 1) {
			last = match;
			continue;
		}
		if (first) {
			fputs(before, out);
			put_number_range(out, first->proto, last->proto);
			before = ",";
		}
		first = last = match;
	}
	if (first) {
		fputs(before, out);
		put_number_range(out, first->proto, last->proto);
	}
	return finish(out, &text);
}

/* The ports of the protocol that begins at `match`. */
static char *put_ports(const struct delta_block *block, const struct delta_match *match)
{
	const struct delta_match *end = block->matches.items + block->matches.count;
	const char *before = "";
	uint8_t proto = match->proto;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (delta_match_is_whole(match))
		return mem_copy_string("*");
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	for (; match < end && match->proto == proto; match++, before = ",") {
		fputs(before, out);
		put_number_range(out, match->port_min, match->port_max);
	}
	return finish(out, &text);
}

/* Takes both texts, whatever becomes of it. */
static int add(struct delta_services *out, char *proto, char *ports)
{
	struct delta_service *service = NULL;

	if (proto && ports)
		service = array_add(out);
	if (!service) {
		free(proto);
		free(ports);
		return -ENOMEM;
	}
	service->proto = proto;
	service->ports = ports;
	return 0;
}

static const struct delta_match *find_protocol(const struct delta_block *block, uint8_t proto)
{
	const struct delta_match *match;

	array_for_each(match, &block->matches)
		if (match->proto == proto)
			return match;
	return NULL;
}

static bool has_unnamed(const struct delta_block *block)
{
	const struct delta_match *match;

	array_for_each(match, &block->matches)
		if (!has_name(match->proto))
			return true;
	return false;
}

int delta_put_services(const struct delta_block *block, struct delta_services *out)
{
	const struct delta_match *match;
	size_t i;
	int r = 0;

	if (block->any)
		return add(out, mem_copy_string("*"), mem_copy_string("*"));
	for (i = 0; !r && i < ARRAY_SIZE(protocols); i++) {
		match = find_protocol(block, protocols[i].number);
		if (match)
			r = add(out, mem_copy_string(protocols[i].name), put_ports(block, match));
	}
	if (!r && has_unnamed(block))
		r = add(out, put_unnamed(block), mem_copy_string("*"));
	return r;
}

void delta_services_free(struct delta_services *services)
{
	struct delta_service *service;

	array_for_each(service, services) {
		free(service->proto);
		free(service->ports);
	}
	array_clear(services);
}
