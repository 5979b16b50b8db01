// SPDX-License-Identifier: GPL-2.0-only
/* Rows that programs and `status` read: devices, names of peers and routes; and attachments. */
#include <errno.h>
#include <string.h>

#include "plan/plan_parts.h"

static int device_compare(const void *a, const void *b)
{
	const struct state_device *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* What the executor notes by itself is not compared; ifindex 0: the device is not there yet. */
static bool device_is_equal(const struct state_device *want, const struct state_device *have)
{
	struct tp_device a = want->device, b = have->device;

	a.made_qdisc = b.made_qdisc = 0;
	b.flags &= (uint16_t)~TP_DEV_XDP_NATIVE;
	if (want->ifindex && want->ifindex != have->ifindex)
		return false;
	return !memcmp(&a, &b, sizeof(a));
}

static bool is_on_new_link(const struct diff *d, const char *device)
{
	return d->plan.new_link && !strcmp(device, d->want->tunnel.name);
}

static int visit_device_set(struct diff *d, const void *w, const void *h)
{
	const struct state_device *want = w, *have = h;
	struct op *op;

	if (!want)
		return 0;
	if (have && !d->fresh && !is_on_new_link(d, want->name) && device_is_equal(want, have))
		return 0;

	op = op_add(&d->plan, PHASE_ADD, OP_DEVICE_SET, "set");
	if (!op)
		return -ENOMEM;
	op->args.device = want;
	return 0;
}

int diff_devices_set(struct diff *d)
{
	return walk_both(
		d, WALK_OF(d->want->devices, d->have->devices, device_compare, visit_device_set));
}

int diff_devices_remove(struct diff *d)
{
	return diff_rows_remove(d, OP_DEVICE_REMOVE,
				WALK_OF(d->want->devices, d->have->devices, device_compare, NULL));
}

static int peer_compare(const void *a, const void *b)
{
	const struct peer_info_row *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int route_compare(const void *a, const void *b)
{
	const struct route_info_row *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static bool is_same_peer(const struct peer_info_row *a, const struct peer_info_row *b)
{
	return !memcmp(a->info.public_key, b->info.public_key, sizeof(a->info.public_key));
}

static int set_peer_info(struct diff *d, const struct peer_info_row *want,
			 const struct peer_info_row *have)
{
	struct op *op = op_add(&d->plan, PHASE_ADD, OP_PEER_INFO_SET, "set");

	if (!op)
		return -ENOMEM;
	op->args.peer_info = want;
	op->changes_hands = have && !is_same_peer(want, have);
	return 0;
}

/*
 * A peer's row comes before the peer: it is the mark by which a later apply knows that it may
 * remove it.
 */
static int visit_peer_info(struct diff *d, const void *w, const void *h)
{
	const struct peer_info_row *want = w, *have = h;

	if (!want || (have && !d->fresh && is_same_peer(want, have)))
		return 0;
	return set_peer_info(d, want, have);
}

/* What a row says of a peer comes after that is done, or a crash in between would hide it. */
static int visit_peer_info_changed(struct diff *d, const void *w, const void *h)
{
	const struct peer_info_row *want = w, *have = h;

	if (!want || !have || d->fresh || !is_same_peer(want, have) ||
	    !memcmp(&want->info, &have->info, sizeof(want->info)))
		return 0;
	return set_peer_info(d, want, have);
}

static bool is_same_route(const struct diff *d, const struct route_info_row *want,
			  const struct route_info_row *have)
{
	return prefix_is_equal(&want->prefix, &have->prefix) &&
	       !strcmp(state_text(d->want, want->node), state_text(d->have, have->node));
}

static bool route_info_is_equal(const struct diff *d, const struct route_info_row *want,
				const struct route_info_row *have)
{
	return is_same_route(d, want, have) && want->state == have->state &&
	       want->approved == have->approved && want->snat == have->snat &&
	       addr_is_equal(&want->snat_addr, &have->snat_addr) &&
	       !strcmp(state_text(d->want, want->reason), state_text(d->have, have->reason));
}

static int visit_route_info(struct diff *d, const void *w, const void *h)
{
	const struct route_info_row *want = w, *have = h;
	struct op *op;

	if (!want)
		return 0;
	if (have && !d->fresh && route_info_is_equal(d, want, have))
		return 0;

	op = op_add(&d->plan, PHASE_ADD, OP_ROUTE_INFO_SET, "set");
	if (!op)
		return -ENOMEM;
	op->args.route_info = want;
	op->changes_hands = have && !is_same_route(d, want, have);
	return 0;
}

int diff_infos_set(struct diff *d)
{
	int r;

	r = walk_both(
		d, WALK_OF(d->want->peer_info, d->have->peer_info, peer_compare, visit_peer_info));
	if (r)
		return r;
	return walk_both(d, WALK_OF(d->want->route_info, d->have->route_info, route_compare,
				    visit_route_info));
}

int diff_infos_change(struct diff *d)
{
	return walk_both(d, WALK_OF(d->want->peer_info, d->have->peer_info, peer_compare,
				    visit_peer_info_changed));
}

int diff_infos_remove(struct diff *d)
{
	int r;

	r = diff_rows_remove(d, OP_PEER_INFO_REMOVE,
			     WALK_OF(d->want->peer_info, d->have->peer_info, peer_compare, NULL));
	if (r)
		return r;
	return diff_rows_remove(
		d, OP_ROUTE_INFO_REMOVE,
		WALK_OF(d->want->route_info, d->have->route_info, route_compare, NULL));
}

static int attachment_compare(const void *a, const void *b)
{
	const struct state_attachment *x = a, *y = b;
	int r = strcmp(x->device, y->device);

	return r ? r : (int)x->hook - (int)y->hook;
}

/* Auto takes what it has got: a driver that refused once is not asked at every apply. */
static bool is_xdp_as_wanted(const struct state_attachment *want,
			     const struct state_attachment *have)
{
	return want->hook != HOOK_XDP_LAN || want->xdp == STATE_XDP_AUTO || want->xdp == have->xdp;
}

static bool is_tc_as_wanted(const struct state_attachment *want,
			    const struct state_attachment *have)
{
	return want->hook == HOOK_XDP_LAN || want->tc == STATE_TC_AUTO ||
	       (want->tc == STATE_TC_TCX) == have->tcx;
}

/* On the device that is there now, and first there; one that does not exist yet has no ifindex. */
static bool is_attached(const struct state_attachment *want, const struct state_attachment *have)
{
	return have && (!want->ifindex || want->ifindex == have->ifindex) &&
	       is_xdp_as_wanted(want, have) && is_tc_as_wanted(want, have) && !have->ahead[0];
}

static int visit_attach(struct diff *d, const void *w, const void *h)
{
	const struct state_attachment *want = w, *have = h;
	struct op *op;

	if (!want)
		return 0;
	if (is_attached(want, have) && !d->fresh && !is_on_new_link(d, want->device))
		return 0;

	op = op_add(&d->plan, PHASE_ADD, OP_ATTACH, "attach");
	if (!op)
		return -ENOMEM;
	op->args.attachment = want;
	return 0;
}

static int visit_detach(struct diff *d, const void *w, const void *h)
{
	struct op *op;

	if (w)
		return 0;

	op = op_add(&d->plan, PHASE_REMOVE, OP_DETACH, "detach");
	if (!op)
		return -ENOMEM;
	op->args.attachment = h;
	return 0;
}

int diff_attach(struct diff *d)
{
	return walk_both(d, WALK_OF(d->want->attachments, d->have->attachments, attachment_compare,
				    visit_attach));
}

int diff_detach(struct diff *d)
{
	return walk_both(d, WALK_OF(d->want->attachments, d->have->attachments, attachment_compare,
				    visit_detach));
}
