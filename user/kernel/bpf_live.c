// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_live.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "base/mem.h"
#include "kernel/bpf_rows.h"

void bpf_live_route(const struct bpf *bpf, uint64_t generation, const struct tp_addr *addr,
		    struct tp_route *out)
{
	AUTO_CLOSE int hosts = bpf_table_open(bpf, TABLE_HOSTS, generation);
	AUTO_CLOSE int routes = bpf_table_open(bpf, TABLE_ROUTES, generation);
	struct tp_prefix key = { .prefix_len = 128, .addr = *addr };
	struct tp_route route;

	if ((hosts >= 0 && !bpf_map_lookup_elem(hosts, &key.addr, &route)) ||
	    (routes >= 0 && !bpf_map_lookup_elem(routes, &key, &route)))
		*out = route;
}

static int read_rule_bits(const struct bpf *bpf, uint64_t generation, uint32_t class_id,
			  struct tp_rule_bits *out)
{
	AUTO_CLOSE int inner = bpf_table_open(bpf, TABLE_RULES, generation);

	if (inner < 0)
		return inner;
	return bpf_map_lookup_elem(inner, &class_id, out) ? -errno : 0;
}

int bpf_read_only_logs(const struct bpf *bpf, bool *out, struct err *err)
{
	struct tp_rule_bits bits = {};
	struct tp_state before = {}, after = {};
	int r, looked = 0;

	do {
		r = bpf_read_state(bpf, &before, err);
		if (r || !before.generation)
			break;
		looked = read_rule_bits(bpf, before.generation, TP_CLASS_LOG, &bits);
		r = bpf_read_state(bpf, &after, err);
	} while (!r && before.generation != after.generation);
	if (looked == -ENOENT) /* and not because the slot was given to another: no table */
		looked = 0;
	if (!r && looked)
		r = err_sys(err, looked, "read the rules of instance %s", bpf->instance);
	if (!r)
		*out = bits.summary != 0;
	return r;
}
