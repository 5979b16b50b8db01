/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bit-vector compiler's one algorithm. Given (prefix, owner) pairs and a bit vector for each
 * owner, it makes one row a distinct prefix, whose class is the OR of the vectors of every owner
 * whose prefix contains it: the answer of a longest-prefix match is then the whole answer.
 *
 * Ports use it too: protocol and port stand in the first four bytes of an address, as in
 * struct tp_port_key.
 */
#ifndef TP_MODEL_CLASSIFY_H
#define TP_MODEL_CLASSIFY_H

#include "model/ranges.h"
#include "model/state.h"

struct classify_entry {
	struct prefix prefix;
	uint32_t owner; /* CLASSIFY_NOBODY: a barrier */
};

#define CLASSIFY_NOBODY UINT32_MAX

struct classify_entries {
	ARRAY_OF(struct classify_entry);
};

struct classify_rows {
	ARRAY_OF(struct class_row);
};

/* The classes of one policy and where each vector is found. */
struct classes {
	struct tables *tables; /* `classes` is filled */
	uint32_t *slots;       /* open addressing by hash; class + 1, 0 = free */
	size_t slot_count;     /* a power of two */
};

/* Makes the classes below TP_CLASS_USER. 0 or -ENOMEM; classes_free in any case. */
int classes_begin(struct classes *classes, struct tables *tables, const struct tp_rule_bits *deny,
		  bool only_logs);
void classes_free(struct classes *classes);

void rule_bits_set(struct tp_rule_bits *bits, uint32_t rule);
void rule_bits_or(struct tp_rule_bits *to, const struct tp_rule_bits *from);

int classify_add_prefix(struct classify_entries *entries, const struct prefix *prefix,
			uint32_t owner);

/*
 * Adds the prefixes of a range of addresses. An IPv6 prefix around ::ffff:0:0/96 never means IPv4:
 * such a one gets a barrier row beside it.
 */
int classify_add_range(struct classify_entries *entries, const struct addr_range *range,
		       uint32_t owner);

/* Sorts entries and appends the rows, sorted. `vectors` is indexed by owner. 0 or -ENOMEM. */
int classify(struct classes *classes, struct classify_entries *entries,
	     const struct tp_rule_bits *vectors, struct classify_rows *rows);

/* All of IPv4: the prefix that barriers stand at. */
extern const struct prefix classify_v4_space;
/* An IPv6 prefix that has the IPv4 addresses inside. */
bool classify_surrounds_v4(const struct prefix *prefix);

/* IPv4 first, then by prefix_compare: rows of both families never nest. */
int classify_prefix_compare(const struct prefix *a, const struct prefix *b);

#endif
