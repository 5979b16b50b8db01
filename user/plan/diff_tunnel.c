// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/plan_parts.h"

static const struct state_tunnel no_tunnel;

/* The device we go on with; an old one under another name or backend does not count. */
static const struct state_tunnel *have_tunnel(const struct diff *d)
{
	return d->plan.new_link ? &no_tunnel : &d->have->tunnel;
}

static int add(struct diff *d, enum op_kind kind, const char *verb)
{
	return op_add(&d->plan, PHASE_ADD, kind, verb) ? 0 : -ENOMEM;
}

/* An old device goes first: it holds the name, or at least the port. */
int diff_link_add(struct diff *d)
{
	int r = 0;

	if (!d->plan.new_link)
		return 0;
	if (d->have->tunnel.exists)
		r = add(d, OP_LINK_REMOVE, "remove");
	return r ? r : add(d, OP_LINK_ADD, "add");
}

int diff_tunnel_set(struct diff *d)
{
	const struct state_tunnel *want = &d->want->tunnel, *have = have_tunnel(d);
	bool key = !key_is_zero(&want->private_key) &&
		   !key_is_equal(&want->private_key, &have->private_key);
	bool port = d->plan.new_link || want->listen_port != have->listen_port;
	struct op *op;

	if (!key && !port)
		return 0;

	op = op_add(&d->plan, PHASE_ADD, OP_TUNNEL_SET, "set");
	if (!op)
		return -ENOMEM;
	op->keep_port = !port;
	op->sets_key = key;
	return 0;
}

int diff_link_set(struct diff *d)
{
	const struct state_tunnel *want = &d->want->tunnel, *have = have_tunnel(d);

	if (want->mtu == have->mtu && want->up == have->up)
		return 0;
	return add(d, OP_LINK_SET, "set");
}

static int peer_compare(const void *a, const void *b)
{
	const struct state_peer *x = a, *y = b;

	return memcmp(&x->public_key, &y->public_key, sizeof(x->public_key));
}

static int prefix_order(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

/* The first allowed IP of one from `at` on that the other lacks; NULL when there is none. */
static const struct prefix *find_lacking(const struct state_peer *one, size_t at,
					 const struct state_peer *other)
{
	for (; at < one->allowed_ips.count; at++) {
		const struct prefix *prefix = &one->allowed_ips.items[at];

		if (!other->allowed_ips.count ||
		    !bsearch(prefix, other->allowed_ips.items, other->allowed_ips.count,
			     sizeof(*prefix), prefix_order))
			return prefix;
	}
	return NULL;
}

static bool gains(const struct state_peer *want, const struct state_peer *have)
{
	return find_lacking(want, 0, have);
}

/* All allowed IPs that some peer is to have, sorted; made when the first one asks. */
static int index_owned(struct diff *d)
{
	const struct state_peer *peer;
	const struct prefix *prefix;
	struct prefixes *owned;

	if (d->plan.owned)
		return 0;
	owned = d->plan.owned = mem_alloc(1, sizeof(*owned));
	if (!owned)
		return -ENOMEM;
	array_for_each(peer, &d->want->tunnel.peers)
		array_for_each(prefix, &peer->allowed_ips) {
			struct prefix *added = array_add(owned);

			if (!added)
				return -ENOMEM;
			*added = *prefix;
		}
	if (owned->count)
		qsort(owned->items, owned->count, sizeof(*owned->items), prefix_order);
	return 0;
}

/*
 * Sets change->owned when one of the allowed IPs that the peer is not to have is to be nobody's.
 * What is another's goes to that one when it is set.
 */
static int find_drops(struct diff *d, struct peer_change *change)
{
	const struct state_peer *have = change->have;
	const struct prefix *lost = find_lacking(have, 0, change->want);
	int r = lost ? index_owned(d) : 0;

	if (r)
		return r;
	change->owned = d->plan.owned;
	while (lost && !peer_change_drops(change, lost))
		lost = find_lacking(have, (size_t)(lost - have->allowed_ips.items) + 1,
				    change->want);
	if (!lost)
		change->owned = NULL;
	return 0;
}

/*
 * An endpoint in the file is where to begin; a peer that moved is left where it is, or every
 * apply would tear it away. It is set when we have none, when the peer never answered, or when
 * the file now says something else of it: then the person who edited it means it.
 */
static bool wants_endpoint(const struct state_peer *want, const struct state_peer *have)
{
	if (!want->endpoint.port || endpoint_is_equal(&want->endpoint, &have->endpoint))
		return false;
	return !have->endpoint.port || !have->latest_handshake || want->said != have->said;
}

static int set_peer(struct diff *d, const struct peer_change *change)
{
	struct op *op = op_add(&d->plan, PHASE_ADD, OP_PEER_SET, change->have ? "set" : "add");

	if (!op)
		return -ENOMEM;
	op->args.change = *change;
	return 0;
}

static int visit_new(struct diff *d, const struct state_peer *want)
{
	const struct peer_change change = { .want = want, .endpoint = want->endpoint.port };

	return set_peer(d, &change);
}

/*
 * In two passes: first what is gained, then what is dropped, which may have led where a longer
 * prefix is to lead to another peer. One that gains and drops takes part in both, unless it alone
 * gains.
 */
static int visit_known(struct diff *d, const struct state_peer *want, const struct state_peer *have,
		       bool first)
{
	struct peer_change change = { want, have, wants_endpoint(want, have), NULL };
	bool gaining = gains(want, have);
	int r = find_drops(d, &change);

	if (r || (first && !gaining))
		return r;
	if (first && d->gaining > 1)
		change.owned = NULL;
	if (!first && gaining && (!change.owned || d->gaining == 1))
		return 0;
	if (!gaining && !change.owned && !change.endpoint && !peer_change_psk(&change) &&
	    !peer_change_keepalive(&change))
		return 0;
	return set_peer(d, &change);
}

static int count_gaining(struct diff *d, const void *want, const void *have)
{
	d->gaining += want && (!have || gains(want, have));
	return 0;
}

static int visit_gaining(struct diff *d, const void *want, const void *have)
{
	if (!want)
		return 0;
	return have ? visit_known(d, want, have, true) : visit_new(d, want);
}

static int visit_changed(struct diff *d, const void *want, const void *have)
{
	return want && have ? visit_known(d, want, have, false) : 0;
}

/* Setting an allowed IP takes it from its old owner: who gains goes first, so there is no gap. */
int diff_peers_set(struct diff *d)
{
	const struct state_tunnel *want = &d->want->tunnel, *have = have_tunnel(d);
	int r;

	r = walk_both(d, WALK_OF(want->peers, have->peers, peer_compare, count_gaining));
	if (!r)
		r = walk_both(d, WALK_OF(want->peers, have->peers, peer_compare, visit_gaining));
	if (r)
		return r;
	return walk_both(d, WALK_OF(want->peers, have->peers, peer_compare, visit_changed));
}

/* One that somebody else put there is theirs. */
static int visit_gone(struct diff *d, const void *want, const void *have)
{
	const struct state_peer *gone = have;
	struct op *op;

	if (want || !gone->ours)
		return 0;

	op = op_add(&d->plan, PHASE_REMOVE, OP_PEER_REMOVE, "remove");
	if (!op)
		return -ENOMEM;
	op->args.peer = gone;
	return 0;
}

int diff_peers_remove(struct diff *d)
{
	return walk_both(
		d, WALK_OF(d->want->tunnel.peers, have_tunnel(d)->peers, peer_compare, visit_gone));
}

static int address_compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static int add_address_op(struct diff *d, bool is_add, const struct addr *addr)
{
	struct op *op =
		op_add(&d->plan, is_add ? PHASE_ADD : PHASE_REMOVE,
		       is_add ? OP_ADDRESS_ADD : OP_ADDRESS_REMOVE, is_add ? "add" : "remove");

	if (!op)
		return -ENOMEM;
	op->args.addr = addr;
	return 0;
}

static int visit_new_address(struct diff *d, const void *want, const void *have)
{
	return want && !have ? add_address_op(d, true, want) : 0;
}

static int visit_old_address(struct diff *d, const void *want, const void *have)
{
	return have && !want ? add_address_op(d, false, have) : 0;
}

int diff_addresses_add(struct diff *d)
{
	return walk_both(d, WALK_OF(d->want->tunnel.addresses, have_tunnel(d)->addresses,
				    address_compare, visit_new_address));
}

int diff_addresses_remove(struct diff *d)
{
	return walk_both(d, WALK_OF(d->want->tunnel.addresses, have_tunnel(d)->addresses,
				    address_compare, visit_old_address));
}
