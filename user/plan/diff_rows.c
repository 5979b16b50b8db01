// SPDX-License-Identifier: GPL-2.0-only
/* Rows that programs and `status` read: devices, names of peers and routes; and attachments. */
#include <errno.h>
#include <stdio.h>
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
	return d->new_link && !strcmp(device, d->want->tunnel.name);
}

static int visit_device_set(struct diff *d, const void *w, const void *h)
{
	const struct state_device *want = w, *have = h;
	char object[OP_OBJECT_SIZE], details[OP_DETAILS_SIZE];
	struct op *op;

	if (!want)
		return 0;
	if (have && !d->fresh && !is_on_new_link(d, want->name) && device_is_equal(want, have))
		return 0;

	object_printf(object, "device %s", want->name);
	object_printf(details, "role %s mtu %u%s%s",
		      want->device.role == TP_DEV_TUNNEL ? "tunnel" : "lan", want->device.mtu,
		      want->device.flags & TP_DEV_JUDGE ? " judged" : "",
		      want->device.flags & TP_DEV_XDP_FORCED ? " xdp-forced" : "");
	op = op_add(&d->plan, PHASE_ADD, OP_DEVICE_SET, "set", object, details);
	if (!op)
		return -ENOMEM;
	op->args.device = want;
	return 0;
}

static int visit_device_gone(struct diff *d, const void *w, const void *h)
{
	const struct state_device *have = h;
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (w)
		return 0;

	op = op_add(&d->plan, PHASE_REMOVE, OP_DEVICE_REMOVE, "remove",
		    object_printf(object, "device %s", have->name), "");
	if (!op)
		return -ENOMEM;
	op->args.device = have;
	return 0;
}

int diff_devices_set(struct diff *d)
{
	return walk_both(
		d, WALK_OF(d->want->devices, d->have->devices, device_compare, visit_device_set));
}

int diff_devices_remove(struct diff *d)
{
	return walk_both(
		d, WALK_OF(d->want->devices, d->have->devices, device_compare, visit_device_gone));
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

/* The name comes from a map for what is being removed: it may lack its NUL. */
static const char *object_peer_info(char *buf, const struct peer_info_row *row)
{
	return object_printf(buf, "peer-info %u", row->id);
}

static const char *object_route_info(char *buf, const struct route_info_row *row)
{
	return object_printf(buf, "route-info %u", row->id);
}

static int set_peer_info(struct diff *d, const struct peer_info_row *want)
{
	char object[OP_OBJECT_SIZE];
	struct op *op;

	op = op_add(&d->plan, PHASE_ADD, OP_PEER_INFO_SET, "set", object_peer_info(object, want),
		    want->info.name);
	if (!op)
		return -ENOMEM;
	op->args.peer_info = want;
	return 0;
}

static bool is_same_peer(const struct peer_info_row *a, const struct peer_info_row *b)
{
	return !memcmp(a->info.public_key, b->info.public_key, sizeof(a->info.public_key));
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
	return set_peer_info(d, want);
}

/* What a row says of a peer comes after that is done, or a crash in between would hide it. */
static int visit_peer_info_changed(struct diff *d, const void *w, const void *h)
{
	const struct peer_info_row *want = w, *have = h;

	if (!want || !have || d->fresh || !is_same_peer(want, have) ||
	    !memcmp(&want->info, &have->info, sizeof(want->info)))
		return 0;
	return set_peer_info(d, want);
}

static const char *route_state_name(uint8_t state)
{
	static const char *const names[] = { [TP_ROUTE_UNAPPROVED] = "unapproved",
					     [TP_ROUTE_ACTIVE] = "active",
					     [TP_ROUTE_STANDBY] = "standby",
					     [TP_ROUTE_CONFLICT] = "conflict",
					     [TP_ROUTE_DOWN] = "down" };

	return names[state];
}

static void put_route_info(char *buf, const struct tp_route_info *info)
{
	struct prefix prefix = { .len = (uint8_t)info->prefix.prefix_len };
	char text[PREFIX_TEXT_SIZE];

	memcpy(&prefix.addr, &info->prefix.addr, sizeof(prefix.addr));
	object_printf(buf, "%s of %s: %s, %.80s", prefix_put(text, &prefix), info->node,
		      route_state_name(info->state), info->reason);
}

static int visit_route_info(struct diff *d, const void *w, const void *h)
{
	const struct route_info_row *want = w, *have = h;
	char object[OP_OBJECT_SIZE], details[OP_DETAILS_SIZE];
	struct op *op;

	if (!want)
		return 0;
	if (have && !d->fresh && !memcmp(&want->info, &have->info, sizeof(want->info)))
		return 0;

	put_route_info(details, &want->info);
	op = op_add(&d->plan, PHASE_ADD, OP_ROUTE_INFO_SET, "set", object_route_info(object, want),
		    details);
	if (!op)
		return -ENOMEM;
	op->args.route_info = want;
	return 0;
}

static int visit_peer_info_gone(struct diff *d, const void *w, const void *h)
{
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (w)
		return 0;

	op = op_add(&d->plan, PHASE_REMOVE, OP_PEER_INFO_REMOVE, "remove",
		    object_peer_info(object, h), "");
	if (!op)
		return -ENOMEM;
	op->args.peer_info = h;
	return 0;
}

static int visit_route_info_gone(struct diff *d, const void *w, const void *h)
{
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (w)
		return 0;

	op = op_add(&d->plan, PHASE_REMOVE, OP_ROUTE_INFO_REMOVE, "remove",
		    object_route_info(object, h), "");
	if (!op)
		return -ENOMEM;
	op->args.route_info = h;
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

	r = walk_both(d, WALK_OF(d->want->peer_info, d->have->peer_info, peer_compare,
				 visit_peer_info_gone));
	if (r)
		return r;
	return walk_both(d, WALK_OF(d->want->route_info, d->have->route_info, route_compare,
				    visit_route_info_gone));
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

/* On the device that is there now, and first there; one that does not exist yet has no ifindex. */
static bool is_attached(const struct state_attachment *want, const struct state_attachment *have)
{
	return have && (!want->ifindex || want->ifindex == have->ifindex) &&
	       is_xdp_as_wanted(want, have) && !have->ahead[0];
}

static int visit_attach(struct diff *d, const void *w, const void *h)
{
	const struct state_attachment *want = w, *have = h;
	char object[OP_OBJECT_SIZE], details[OP_DETAILS_SIZE] = "";
	struct op *op;

	if (!want)
		return 0;
	if (is_attached(want, have) && !d->fresh && !is_on_new_link(d, want->device))
		return 0;

	if (want->hook == HOOK_XDP_LAN)
		object_printf(details, "mode %s", state_xdp_name(want->xdp));
	else if (have && have->ahead[0])
		object_printf(details, "before %s", have->ahead);
	op = op_add(&d->plan, PHASE_ADD, OP_ATTACH, "attach", object_attachment(object, want),
		    details);
	if (!op)
		return -ENOMEM;
	op->args.attachment = want;
	return 0;
}

static int visit_detach(struct diff *d, const void *w, const void *h)
{
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (w)
		return 0;

	op = op_add(&d->plan, PHASE_REMOVE, OP_DETACH, "detach", object_attachment(object, h), "");
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
