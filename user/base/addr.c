// SPDX-License-Identifier: GPL-2.0-only
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define ADDR_BITS      128
#define ADDR_V4_OFFSET (ADDR_MAPPED_BITS / 8)
#define ADDR_V4_BYTES  4
#define PORT_MAX       65535

static const uint8_t v4_mapping[ADDR_V4_OFFSET] = { [10] = 0xff, [11] = 0xff };

bool addr_is_v4(const struct addr *addr)
{
	return !memcmp(addr->bytes, v4_mapping, sizeof(v4_mapping));
}

bool addr_is_link_local(const struct addr *addr)
{
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

bool addr_is_zero(const struct addr *addr)
{
	static const struct addr zero;

	return addr_is_equal(addr, &zero);
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_is_equal(const struct addr *a, const struct addr *b)
{
	return !addr_compare(a, b);
}

/* False, and all zero, when it was all ones. */
static bool add_one(struct addr *addr)
{
	size_t i = sizeof(addr->bytes);

	while (i--)
		if (++addr->bytes[i])
			return true;
	return false;
}

/* To the next address of the family v4 says; false, and addr untouched, when there is none. */
static bool step(struct addr *addr, bool v4)
{
	struct addr next = *addr;

	if (!add_one(&next))
		return false;
	if (v4 && !addr_is_v4(&next))
		return false;
	if (!v4 && addr_is_v4(&next)) {
		/* the IPv4 addresses are a hole in the IPv6 ones: go on behind it */
		memset(next.bytes + ADDR_V4_OFFSET, 0xff, ADDR_V4_BYTES);
		add_one(&next);
	}

	*addr = next;
	return true;
}

bool addr_next(struct addr *addr)
{
	return step(addr, addr_is_v4(addr));
}

int addr_read(const char *text, struct addr *out)
{
	struct addr addr = { 0 };

	memcpy(addr.bytes, v4_mapping, sizeof(v4_mapping));
	if (inet_pton(AF_INET, text, addr.bytes + ADDR_V4_OFFSET) != 1 &&
	    (inet_pton(AF_INET6, text, addr.bytes) != 1 || addr_is_v4(&addr)))
		return -EINVAL;

	*out = addr;
	return 0;
}

/* The first length bytes of text. */
static int read_n(const char *text, size_t length, struct addr *out)
{
	char copy[ADDR_TEXT_SIZE];

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return addr_read(copy, out);
}

const char *addr_put(char *buf, const struct addr *addr)
{
	if (addr_is_v4(addr))
		inet_ntop(AF_INET, addr->bytes + ADDR_V4_OFFSET, buf, ADDR_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, addr->bytes, buf, ADDR_TEXT_SIZE);
	return buf;
}

/* Of byte number i, the bits that lie within the first len bits of an address. */
static uint8_t byte_mask(size_t i, uint8_t len)
{
	if (len >= (i + 1) * 8)
		return 0xff;
	if (len <= i * 8)
		return 0;
	return (uint8_t)(0xff00 >> (len - i * 8));
}

static struct addr first_of(const struct addr *addr, uint8_t len)
{
	struct addr first = { { 0 } };
	size_t whole = len < 128 ? len / 8 : sizeof(first.bytes);

	memcpy(first.bytes, addr->bytes, whole);
	if (whole < sizeof(first.bytes))
		first.bytes[whole] = addr->bytes[whole] & byte_mask(whole, len);
	return first;
}

static struct addr last_of(const struct addr *addr, uint8_t len)
{
	struct addr last = *addr;
	size_t i;

	for (i = 0; i < sizeof(last.bytes); i++)
		last.bytes[i] |= (uint8_t)~byte_mask(i, len);
	return last;
}

int prefix_read(const char *text, struct prefix *out)
{
	size_t addr_length = strcspn(text, "/");
	struct prefix prefix = { .len = ADDR_BITS };
	struct addr addr;
	uint64_t len;

	if (read_n(text, addr_length, &addr))
		return -EINVAL;
	if (text[addr_length] == '/') {
		uint8_t skipped = addr_is_v4(&addr) ? ADDR_MAPPED_BITS : 0;

		if (num_read(text + addr_length + 1, 0, ADDR_BITS - skipped, &len))
			return -EINVAL;
		prefix.len = (uint8_t)(len + skipped);
	}

	prefix.addr = first_of(&addr, prefix.len);
	*out = prefix;
	return addr_is_equal(&prefix.addr, &addr) ? 0 : -EDOM;
}

const char *prefix_put(char *buf, const struct prefix *prefix)
{
	char addr[ADDR_TEXT_SIZE];

	snprintf(buf, PREFIX_TEXT_SIZE, "%s/%u", addr_put(addr, &prefix->addr),
		 (unsigned int)prefix_family_len(prefix));
	return buf;
}

struct prefix prefix_around(const struct addr *addr, uint8_t len)
{
	return (struct prefix){ .addr = first_of(addr, len), .len = len };
}

struct prefix prefix_host(const struct addr *addr)
{
	return (struct prefix){ .addr = *addr, .len = ADDR_BITS };
}

uint8_t prefix_family_len(const struct prefix *prefix)
{
	return prefix_is_v4(prefix) ? prefix->len - ADDR_MAPPED_BITS : prefix->len;
}

bool prefix_is_v4(const struct prefix *prefix)
{
	return prefix->len >= ADDR_MAPPED_BITS && addr_is_v4(&prefix->addr);
}

bool prefix_is_host(const struct prefix *prefix)
{
	return prefix->len == ADDR_BITS;
}

bool prefix_is_default(const struct prefix *prefix)
{
	return !prefix_family_len(prefix);
}

bool prefix_is_equal(const struct prefix *a, const struct prefix *b)
{
	return !prefix_compare(a, b);
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	return outer->len <= inner->len && prefix_has_addr(outer, &inner->addr);
}

bool prefix_has_addr(const struct prefix *prefix, const struct addr *addr)
{
	struct addr first = first_of(addr, prefix->len);

	return prefix_is_v4(prefix) == addr_is_v4(addr) && addr_is_equal(&first, &prefix->addr);
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->len - (int)b->len;
}

struct addr_range prefix_range(const struct prefix *prefix)
{
	return (struct addr_range){
		.first = prefix->addr,
		.last = last_of(&prefix->addr, prefix->len),
	};
}

int addr_range_read(const char *text, struct addr_range *out)
{
	size_t first_length = strcspn(text, "-");
	struct addr_range range;

	if (text[first_length] != '-')
		return -EINVAL;
	if (read_n(text, first_length, &range.first) ||
	    addr_read(text + first_length + 1, &range.last))
		return -EINVAL;
	if (addr_is_v4(&range.first) != addr_is_v4(&range.last) ||
	    addr_compare(&range.first, &range.last) > 0)
		return -EINVAL;

	*out = range;
	return 0;
}

const char *addr_range_put(char *buf, const struct addr_range *range)
{
	char first[ADDR_TEXT_SIZE], last[ADDR_TEXT_SIZE];

	if (addr_is_equal(&range->first, &range->last))
		return addr_put(buf, &range->first);

	snprintf(buf, RANGE_TEXT_SIZE, "%s-%s", addr_put(first, &range->first),
		 addr_put(last, &range->last));
	return buf;
}

/* The largest prefix that begins at first and ends at last or before. */
static struct prefix largest_prefix(const struct addr *first, const struct addr *last)
{
	struct prefix largest = prefix_host(first);

	/* IPv4 stops at /96 by itself: the bit in front of it is set */
	while (largest.len) {
		struct addr begin = first_of(first, largest.len - 1);
		struct addr end = last_of(first, largest.len - 1);

		if (!addr_is_equal(&begin, first) || addr_compare(&end, last) > 0)
			break;
		largest.len--;
	}
	return largest;
}

size_t addr_range_prefixes(const struct addr_range *range, struct prefix *out)
{
	/* asked of the range: the end of an IPv6 prefix around the hole can lie in the hole */
	bool v4 = addr_is_v4(&range->first);
	struct addr next = range->first;
	size_t count = 0;

	for (;;) {
		out[count] = largest_prefix(&next, &range->last);
		next = last_of(&next, out[count++].len);
		/* a range that ends in the hole ends before what lies behind the hole */
		if (!step(&next, v4) || addr_compare(&next, &range->last) > 0)
			return count;
	}
}

int endpoint_read(const char *text, struct endpoint *out)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[';
	struct endpoint endpoint = { 0 };
	uint64_t port;
	size_t length;

	if (!colon || num_read(colon + 1, 1, PORT_MAX, &port))
		return -EINVAL;
	length = (size_t)(colon - text);
	if (bracketed) {
		if (length < 2 || text[length - 1] != ']')
			return -EINVAL;
		text++;
		length -= 2;
	}
	/* the last colon of a bare IPv6 address is its own, not the port's */
	if (read_n(text, length, &endpoint.addr) || addr_is_v4(&endpoint.addr) == bracketed)
		return -EINVAL;

	endpoint.port = (uint16_t)port;
	*out = endpoint;
	return 0;
}

const char *endpoint_put(char *buf, const struct endpoint *endpoint)
{
	bool v4 = addr_is_v4(&endpoint->addr);
	char addr[ADDR_TEXT_SIZE], zone[12] = "";

	if (endpoint->zone)
		snprintf(zone, sizeof(zone), "%%%u", endpoint->zone);
	snprintf(buf, ENDPOINT_TEXT_SIZE, "%s%s%s%s:%u", v4 ? "" : "[",
		 addr_put(addr, &endpoint->addr), zone, v4 ? "" : "]", endpoint->port);
	return buf;
}

bool endpoint_is_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && a->zone == b->zone && addr_is_equal(&a->addr, &b->addr);
}
