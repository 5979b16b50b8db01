// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services and whose sockets are left alone. The backends come before the service that leads to
 * them, and all rows before the programs that read them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "plan/plan_parts.h"

/* The name is from a map for what is being removed: it may lack its NUL. */
static const char *object_backends(char *buf, const struct backends_row *row)
{
	return object_printf(buf, "backends %u", row->id);
}

static const char *object_service(char *buf, const struct service_row *row)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint vip = { .port = ntohs(row->key.port) };

	memcpy(&vip.addr, &row->key.vip, sizeof(vip.addr));
	return object_printf(buf, "service %s/%s", endpoint_put(text, &vip),
			     row->key.protocol == IPPROTO_UDP ? "udp" : "tcp");
}

static const char *object_exempt(char *buf, const struct exempt_row *row)
{
	return object_printf(buf, "exempt netns %llu", (unsigned long long)row->cookie);
}

static int visit_backends(struct diff *d, const void *w, const void *h)
{
	const struct backends_row *want = w, *have = h;
	char object[OP_OBJECT_SIZE], details[OP_DETAILS_SIZE];
	struct op *op;

	if (!want || (have && !d->fresh &&
		      !memcmp(&want->backends, &have->backends, sizeof(want->backends))))
		return 0;
	object_printf(details, "of %s: %u", want->backends.name, want->backends.count);
	op = op_add(&d->plan, PHASE_ADD, OP_BACKENDS_SET, "set", object_backends(object, want),
		    details);
	if (!op)
		return -ENOMEM;
	op->args.backends = want;
	return 0;
}

static int visit_backends_gone(struct diff *d, const void *w, const void *h)
{
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (w)
		return 0;
	op = op_add(&d->plan, PHASE_REMOVE, OP_BACKENDS_REMOVE, "remove",
		    object_backends(object, h), "");
	if (!op)
		return -ENOMEM;
	op->args.backends = h;
	return 0;
}

static int visit_service(struct diff *d, const void *w, const void *h)
{
	const struct service_row *want = w, *have = h;
	char object[OP_OBJECT_SIZE], details[OP_DETAILS_SIZE];
	struct op *op;

	if (!want ||
	    (have && !d->fresh && !memcmp(&want->service, &have->service, sizeof(want->service))))
		return 0;
	object_printf(details, "backends %u target-port %u", want->service.backends,
		      ntohs(want->service.target_port));
	op = op_add(&d->plan, PHASE_ADD, OP_SERVICE_SET, "set", object_service(object, want),
		    details);
	if (!op)
		return -ENOMEM;
	op->args.service = want;
	return 0;
}

static int visit_service_gone(struct diff *d, const void *w, const void *h)
{
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (w)
		return 0;
	op = op_add(&d->plan, PHASE_REMOVE, OP_SERVICE_REMOVE, "remove", object_service(object, h),
		    "");
	if (!op)
		return -ENOMEM;
	op->args.service = h;
	return 0;
}

static int visit_exempt(struct diff *d, const void *w, const void *h)
{
	const struct exempt_row *want = w, *have = h;
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (!want ||
	    (have && !d->fresh && !memcmp(&want->exempt, &have->exempt, sizeof(want->exempt))))
		return 0;
	op = op_add(&d->plan, PHASE_ADD, OP_EXEMPT_SET, "set", object_exempt(object, want),
		    want->exempt.what);
	if (!op)
		return -ENOMEM;
	op->args.exempt = want;
	return 0;
}

static int visit_exempt_gone(struct diff *d, const void *w, const void *h)
{
	char object[OP_OBJECT_SIZE];
	struct op *op;

	if (w)
		return 0;
	op = op_add(&d->plan, PHASE_REMOVE, OP_EXEMPT_REMOVE, "remove", object_exempt(object, h),
		    "");
	if (!op)
		return -ENOMEM;
	op->args.exempt = h;
	return 0;
}

static int set_settings(struct diff *d)
{
	static const char *const modes[] = { [TP_SOCKET_OFF] = "off",
					     [TP_SOCKET_ALL] = "all",
					     [TP_SOCKET_HOST_ONLY] = "host-only" };
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	char details[OP_DETAILS_SIZE];

	bool same = !memcmp(&want->settings, &have->settings, sizeof(want->settings));

	if (same && (!d->fresh || !want->settings.cgroup[0]))
		return 0;
	object_printf(details, "mode %s foreign %s", modes[want->settings.mode],
		      want->settings.hide ? "hide" : "off");
	return op_add(&d->plan, PHASE_ADD, OP_SOCKET_SETTINGS_SET, "set", "sockets", details)
		       ? 0
		       : -ENOMEM;
}

static int attach(struct diff *d, enum socket_set set)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	char details[OP_DETAILS_SIZE];
	struct op *op;

	if (!want->cgroup_id[set] || (!d->fresh && want->cgroup_id[set] == have->cgroup_id[set]))
		return 0;
	object_printf(details, "to %s", want->settings.cgroup);
	op = op_add(&d->plan, PHASE_ADD, OP_SOCKET_ATTACH, "attach", socket_set_name(set), details);
	if (!op)
		return -ENOMEM;
	op->args.socket_set = set;
	return 0;
}

int diff_services_set(struct diff *d)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	int r = walk_both(d, WALK_OF(want->exempt, have->exempt, exempt_compare, visit_exempt));

	if (!r)
		r = walk_both(d, WALK_OF(want->backends, have->backends, backends_compare,
					 visit_backends));
	if (!r)
		r = walk_both(
			d, WALK_OF(want->services, have->services, service_compare, visit_service));
	if (!r)
		r = set_settings(d);
	if (!r)
		r = attach(d, SOCKET_SET_LB);
	return r ? r : attach(d, SOCKET_SET_HIDE);
}

int op_add_socket_detach(struct plan *plan, const struct socket_lb *have, enum socket_set set)
{
	struct op *op;

	if (!socket_lb_links(have, set))
		return 0;
	op = op_add(plan, PHASE_REMOVE, OP_SOCKET_DETACH, "detach", socket_set_name(set), "");
	if (!op)
		return -ENOMEM;
	op->args.socket_set = set;
	return 0;
}

static int detach(struct diff *d)
{
	enum socket_set set;
	int r = 0;

	for (set = 0; !r && set < SOCKET_SETS; set++)
		if (!d->want->socket_lb.cgroup_id[set])
			r = op_add_socket_detach(&d->plan, &d->have->socket_lb, set);
	return r;
}

int diff_services_remove(struct diff *d)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	int r = detach(d);

	if (!r)
		r = walk_both(d, WALK_OF(want->services, have->services, service_compare,
					 visit_service_gone));
	if (!r)
		r = walk_both(d, WALK_OF(want->backends, have->backends, backends_compare,
					 visit_backends_gone));
	return r ? r
		 : walk_both(d, WALK_OF(want->exempt, have->exempt, exempt_compare,
					visit_exempt_gone));
}
