/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of a plan share. */
#ifndef TP_PLAN_PLAN_PARTS_H
#define TP_PLAN_PLAN_PARTS_H

#include <stddef.h>

#include "plan/ops.h"

/*
 * Appends an op; verb is a literal. The result is valid until the next one is added: fill in its
 * args at once. NULL when memory is out.
 */
struct op *op_add(struct plan *plan, enum op_phase phase, enum op_kind kind, const char *verb);

/* OP_LAN_ADDRESS_ADD or _REMOVE: 0 or -ENOMEM. */
int op_add_lan_address(struct plan *plan, bool is_add, const struct state_lan_address *address);

/* OP_RULE_ADD or _REMOVE: 0 or -ENOMEM. */
int op_add_rule(struct plan *plan, bool is_add, const struct state_rule *rule);

/* When anything of the set is attached: 0 or -ENOMEM. */
int op_add_socket_detach(struct plan *plan, const struct socket_lb *have, enum socket_set set);

/* Rows of a map that are set when their value differs. */
struct row_kind {
	enum op_kind set;
	size_t value_at, value_size; /* in the row */
};

#define ROW_KIND(op, row_type, member)                                            \
	{                                                                         \
		(op), offsetof(row_type, member), sizeof(((row_type *)0)->member) \
	}

/* What is being compared. */
struct diff {
	const struct state *want;
	const struct state *have;
	struct plan plan;
	const struct row_kind *rows; /* while rows are walked that are set */
	size_t gaining;              /* peers that gain an allowed IP, while those are walked */
	enum op_kind gone;           /* while those are that are removed */
	bool fresh; /* the programs are not those we want: everything in maps is written again */
};

/* Each appends its ops; 0 or -ENOMEM. */
int diff_link_add(struct diff *d);
int diff_tunnel_set(struct diff *d);
int diff_peers_set(struct diff *d);
int diff_peers_remove(struct diff *d);
int diff_addresses_add(struct diff *d);
int diff_addresses_remove(struct diff *d);
int diff_lan_addresses_add(struct diff *d);
int diff_lan_addresses_remove(struct diff *d);
int diff_link_set(struct diff *d);

int diff_routes_add(struct diff *d);
int diff_routes_remove(struct diff *d);
int diff_rules_add(struct diff *d);
int diff_rules_remove(struct diff *d);
int diff_sysctls(struct diff *d);

int diff_devices_set(struct diff *d);
int diff_devices_remove(struct diff *d);
int diff_infos_set(struct diff *d);
int diff_infos_change(struct diff *d);
int diff_infos_remove(struct diff *d);
int diff_attach(struct diff *d);
int diff_services_set(struct diff *d); /* and the programs of sockets */
int diff_services_remove(struct diff *d);
int diff_detach(struct diff *d);

/*
 * Walks two sorted arrays side by side and calls visit for each pair with equal keys, and for
 * what only one side has with NULL for the other. Stops at the first result that is not 0.
 */
struct walk {
	const void *want;
	size_t want_count;
	const void *have;
	size_t have_count;
	size_t size; /* of an element */
	int (*compare)(const void *a, const void *b);
	int (*visit)(struct diff *d, const void *want, const void *have);
};

int walk_both(struct diff *d, const struct walk *walk);

#define WALK_OF(want_array, have_array, compare_function, visit_function)                  \
	(&(const struct walk){ (want_array).items, (want_array).count, (have_array).items, \
			       (have_array).count, sizeof(*(want_array).items),            \
			       (compare_function), (visit_function) })

/* Ops for rows, to which the walk leaves its visit. 0 or -ENOMEM. */
int diff_rows_set(struct diff *d, const struct row_kind *kind, const struct walk *walk);
int diff_rows_remove(struct diff *d, enum op_kind remove, const struct walk *walk);

#endif
