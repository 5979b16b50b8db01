// SPDX-License-Identifier: GPL-2.0-only
/* Addresses of ours on other people's devices. */
#include <errno.h>
#include <string.h>

#include "plan/plan_parts.h"

static int lan_address_compare(const void *a, const void *b)
{
	const struct state_lan_address *x = a, *y = b;
	int r = strcmp(x->device, y->device);

	return r ? r : addr_compare(&x->addr, &y->addr);
}

int op_add_lan_address(struct plan *plan, bool is_add, const struct state_lan_address *address)
{
	struct op *op = op_add(plan, is_add ? PHASE_ADD : PHASE_REMOVE,
			       is_add ? OP_LAN_ADDRESS_ADD : OP_LAN_ADDRESS_REMOVE,
			       is_add ? "add" : "remove");

	if (!op)
		return -ENOMEM;
	op->args.lan_address = address;
	return 0;
}

static int visit_new(struct diff *d, const void *want, const void *have)
{
	return want && !have ? op_add_lan_address(&d->plan, true, want) : 0;
}

static int visit_old(struct diff *d, const void *want, const void *have)
{
	return have && !want ? op_add_lan_address(&d->plan, false, have) : 0;
}

int diff_lan_addresses_add(struct diff *d)
{
	return walk_both(d, WALK_OF(d->want->lan_addresses, d->have->lan_addresses,
				    lan_address_compare, visit_new));
}

int diff_lan_addresses_remove(struct diff *d)
{
	return walk_both(d, WALK_OF(d->want->lan_addresses, d->have->lan_addresses,
				    lan_address_compare, visit_old));
}
