/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IPv4 and IPv6 addresses, prefixes and ranges in one form: 16 bytes in network byte order,
 * IPv4 as IPv4-mapped (::ffff:a.b.c.d). The same layout as struct tp_addr in the maps.
 * Text forms never show the mapping; an IPv6 text that spells a mapped address is refused.
 */
#ifndef TP_BASE_ADDR_H
#define TP_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT_SIZE   48  /* an address, with NUL */
#define PREFIX_TEXT_SIZE 52  /* a prefix */
#define RANGE_TEXT_SIZE  100 /* first-last */
#define ADDR_MAPPED_BITS 96  /* bits in front of an IPv4 address */

struct addr {
	uint8_t bytes[16];
};

/* len counts bits of the 16-byte form: an IPv4 /24 has 120. Host bits are zero. */
struct prefix {
	struct addr addr;
	uint8_t len;
};

/* Both ends belong to it, both are of one family, first <= last. */
struct addr_range {
	struct addr first;
	struct addr last;
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host byte order; 0 = none set */
	uint32_t zone; /* the number of the device behind which a link-local address is, or 0 */
};

bool addr_is_v4(const struct addr *addr);
bool addr_is_link_local(const struct addr *addr);             /* IPv6: fe80::/10 */
bool addr_is_zero(const struct addr *addr);                   /* all 16 bytes zero: "none" */
int addr_compare(const struct addr *a, const struct addr *b); /* as memcmp */
bool addr_is_equal(const struct addr *a, const struct addr *b);
/* Adds one; false when addr was the last of its family. */
bool addr_next(struct addr *addr);

/* 0 or -EINVAL; out untouched on failure. No port, no zone, no brackets. */
int addr_read(const char *text, struct addr *out);
/* buf of ADDR_TEXT_SIZE; returns buf. */
const char *addr_put(char *buf, const struct addr *addr);

/*
 * "a.b.c.d/n" or "v6/n"; a bare address is a host prefix. -EINVAL: not a prefix; -EDOM: it has
 * host bits set, and out holds the prefix with them cleared, for "did you mean".
 */
int prefix_read(const char *text, struct prefix *out);
const char *prefix_put(char *buf, const struct prefix *prefix); /* always with /n */
/* The prefix of that length, 0..128, that the address lies in. */
struct prefix prefix_around(const struct addr *addr, uint8_t len);
struct prefix prefix_host(const struct addr *addr);     /* len 128 */
uint8_t prefix_family_len(const struct prefix *prefix); /* as people write it: 0..32, 0..128 */
bool prefix_is_v4(const struct prefix *prefix);
bool prefix_is_host(const struct prefix *prefix);
bool prefix_is_default(const struct prefix *prefix); /* 0.0.0.0/0 or ::/0 */
bool prefix_is_equal(const struct prefix *a, const struct prefix *b);
/* Same family only: ::/0 does not contain 10.0.0.0/8. */
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
bool prefix_has_addr(const struct prefix *prefix, const struct addr *addr);
/* Shorter prefixes first within one address: a total order for sorting and for golden files. */
int prefix_compare(const struct prefix *a, const struct prefix *b);
struct addr_range prefix_range(const struct prefix *prefix);

/* "a-b" of one family, a <= b; 0 or -EINVAL. */
int addr_range_read(const char *text, struct addr_range *out);
const char *addr_range_put(char *buf, const struct addr_range *range); /* address, or a-b */
/*
 * The smallest list of prefixes that covers the range, ascending. out has room for
 * ADDR_RANGE_PREFIX_MAX; returns how many.
 */
#define ADDR_RANGE_PREFIX_MAX 256
size_t addr_range_prefixes(const struct addr_range *range, struct prefix *out);

/* "a.b.c.d:port" or "[v6]:port"; 0 or -EINVAL (neither a DNS name nor a zone is for it). */
int endpoint_read(const char *text, struct endpoint *out);
/* "[v6%3]:port" with a zone; buf of ENDPOINT_TEXT_SIZE. */
const char *endpoint_put(char *buf, const struct endpoint *endpoint);
#define ENDPOINT_TEXT_SIZE (ADDR_TEXT_SIZE + 20)
bool endpoint_is_equal(const struct endpoint *a, const struct endpoint *b);

#endif
