// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>

#include "base/mem.h"
#include "kernel/bpf_stats.h"

/* The table of names is as long as there are rules, or has one empty row when there is none. */
static int count_rules(int names, uint32_t *out)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(names, &info, &length))
		return -errno;
	*out = info.max_entries;
	return 0;
}

static int read_rule(int names, int counters, uint32_t bit, struct stats *out)
{
	struct tp_rule_info info;
	struct stats_rule *rule;

	if (bpf_map_lookup_elem(names, &bit, &info))
		return -errno;
	if (!info.text[0])
		return 0; /* no rule at all */
	rule = array_add(&out->rules);
	if (!rule)
		return -ENOMEM;
	rule->grant = info.grant;
	rule->deny = info.deny;
	return bpf_read_percpu(counters, bit, &rule->counter, sizeof(rule->counter));
}

int bpf_read_rule_stats(const struct bpf *bpf, const struct state *have, struct stats *out,
			struct err *err)
{
	AUTO_CLOSE int names = bpf_table_open(bpf, TABLE_RULE_INFO, have->generation);
	AUTO_CLOSE int counters = bpf_table_open(bpf, TABLE_RULE_STATS, have->generation);
	uint32_t count = 0, bit;
	int r = names < 0 ? names : counters < 0 ? counters : count_rules(names, &count);

	if (!have->generation)
		return 0; /* no policy yet, no rules */

	for (bit = 0; !r && bit < count; bit++)
		r = read_rule(names, counters, bit, out);
	return r ? err_sys(err, r, "read the rules' counters of instance %s", bpf->instance) : 0;
}
