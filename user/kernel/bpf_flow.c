// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_flow.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* A row of a map by its name: 0, -ENOENT or another errno. */
static int lookup(const struct bpf *bpf, const char *name, const void *key, void *out)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, name);

	if (fd < 0)
		return fd;
	return bpf_map_lookup_elem(fd, key, out) ? -errno : 0;
}

/* The key in the flow decides: the slot may be another's by now. */
static bool is_flow_of(const struct tp_flow_state *state, const struct tp_flow_ref *ref,
		       const struct tp_flow_key *key)
{
	return (state->gen & 1) && ref->way < ARRAY_SIZE(state->way) &&
	       (state->ways & 1 << ref->way) &&
	       !memcmp(&state->way[ref->way].key, key, sizeof(*key));
}

int bpf_find_flow(const struct bpf *bpf, const struct tp_flow_key *key, struct tp_flow_state *out,
		  struct err *err)
{
	struct tp_flow_state state;
	struct tp_flow_ref ref;
	int r = lookup(bpf, "tp_flows", key, &ref);

	if (!r)
		r = lookup(bpf, "tp_flow_state", &ref.slot, &state);
	if (r == -ENOENT)
		return 0;
	if (r)
		return err_sys(err, r, "look for a flow");
	if (!is_flow_of(&state, &ref, key))
		return 0;
	*out = state;
	return 1;
}

int bpf_flows_are_full(const struct bpf *bpf, bool *out, struct err *err)
{
	const uint32_t zero = 0;
	struct tp_slot_cursor cursor;
	struct tp_limits limits;
	int r = lookup(bpf, "tp_slot_cursor", &zero, &cursor);

	if (!r)
		r = lookup(bpf, "tp_limits", &zero, &limits);
	if (r)
		return err_sys(err, r, "read how many flows there are");
	*out = cursor.live >= limits.flows;
	return 0;
}
