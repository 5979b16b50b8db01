/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of policy routing of ours, in the netns that the socket was opened in. */
#ifndef TP_KERNEL_RT_RULE_H
#define TP_KERNEL_RT_RULE_H

#include "base/array.h"
#include "base/err.h"
#include "kernel/rt_codec.h"
#include "model/state.h"

struct nl;

struct rt_rules {
	ARRAY_OF(struct state_rule);
};

/* Both families. Adds to out, which the caller empties with array_clear, also after a failure. */
int rt_dump_rules(struct nl *nl, struct rt_rules *out, struct err *err);

struct rt_tables {
	ARRAY_OF(struct rt_table);
};

/*
 * The tables that others' rules lead to behind a priority, each once; not main, local, default and
 * ours. Adds to out, which the caller empties with array_clear, also after a failure. None where
 * the kernel has no policy routing.
 */
int rt_dump_tables_behind(struct nl *nl, uint32_t priority, struct rt_tables *out, struct err *err);

/* Adding what is there and removing what is gone are success. */
int rt_add_rule(struct nl *nl, const struct state_rule *rule, struct err *err);
int rt_remove_rule(struct nl *nl, const struct state_rule *rule, struct err *err);

#endif
