// SPDX-License-Identifier: GPL-2.0-only
/* Members' mesh addresses as the live policy has them, which WireGuard may count to a hub. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_stats.h"
#include "towpath/route.h"

/* Only members' own addresses have no number of a route. */
static bool is_member(const struct tp_route *route)
{
	return route->kind == TP_ROUTE_MESH && !route->id;
}

static int read_host(int hosts, const struct tp_addr *addr, struct stats *out)
{
	struct stats_address *row;
	struct tp_route route;

	/* a lookup that fails: another policy took the slot and this row away */
	if (bpf_map_lookup_elem(hosts, addr, &route) || !is_member(&route))
		return 0;
	row = array_add(&out->addresses);
	if (!row)
		return -ENOMEM;
	row->peer = route.peer;
	memcpy(&row->addr, addr, sizeof(row->addr));
	return 0;
}

static int read_hosts(int hosts, struct stats *out)
{
	const struct tp_addr *from = NULL;
	struct tp_addr addr = {}, next;
	int r = 0;

	while (!r && !bpf_map_get_next_key(hosts, from, &next)) {
		addr = next;
		from = &addr;
		r = read_host(hosts, &addr, out);
	}
	return r ? r : errno == ENOENT ? 0 : -errno;
}

static int compare(const void *a, const void *b)
{
	const struct stats_address *x = a, *y = b;

	if (x->peer != y->peer)
		return x->peer < y->peer ? -1 : 1;
	return addr_compare(&x->addr, &y->addr);
}

int bpf_read_addresses(const struct bpf *bpf, const struct state *have, struct stats *out,
		       struct err *err)
{
	AUTO_CLOSE int hosts = bpf_table_open(bpf, TABLE_HOSTS, have->generation);
	int r = hosts < 0 ? hosts : read_hosts(hosts, out);

	if (!have->generation)
		return 0; /* no policy yet, nobody's addresses */
	if (r)
		return err_sys(err, r, "read the addresses of instance %s", bpf->instance);
	if (out->addresses.count)
		qsort(out->addresses.items, out->addresses.count, sizeof(*out->addresses.items),
		      compare);
	return 0;
}
