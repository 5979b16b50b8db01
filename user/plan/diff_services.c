// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services and whose sockets are left alone. The backends come before the service that leads to
 * them, and all rows before the programs that read them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "plan/plan_parts.h"

static const struct row_kind exempt_rows = ROW_KIND(OP_EXEMPT_SET, struct exempt_row, exempt);
static const struct row_kind foreign_rows = ROW_KIND(OP_FOREIGN_SET, struct foreign_row, foreign);
static const struct row_kind backends_rows =
	ROW_KIND(OP_BACKENDS_SET, struct backends_row, backends);
static const struct row_kind service_rows = ROW_KIND(OP_SERVICE_SET, struct service_row, service);

static int set_settings(struct diff *d)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;

	bool same = !memcmp(&want->settings, &have->settings, sizeof(want->settings));

	if (same && (!d->fresh || !want->settings.cgroup[0]))
		return 0;
	return op_add(&d->plan, PHASE_ADD, OP_SOCKET_SETTINGS_SET, "set") ? 0 : -ENOMEM;
}

/* Whether it was judged by what is wanted that it is in force. */
static bool is_hung_alike(const struct socket_lb *want, const struct socket_lb *have,
			  enum socket_set set)
{
	return set != SOCKET_SET_HIDE ||
	       !((want->settings.hide ^ have->settings.hide) & TP_HIDE_BELOW);
}

static int attach(struct diff *d, enum socket_set set)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	struct op *op;

	if (!want->cgroup_id[set] || (!d->fresh && want->cgroup_id[set] == have->cgroup_id[set] &&
				      is_hung_alike(want, have, set)))
		return 0;
	op = op_add(&d->plan, PHASE_ADD, OP_SOCKET_ATTACH, "attach");
	if (!op)
		return -ENOMEM;
	op->args.socket_set = set;
	return 0;
}

/* Whose sockets are left alone. */
static int set_left(struct diff *d)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	int r;

	if (want->stays)
		return 0;
	r = diff_rows_set(d, &exempt_rows,
			  WALK_OF(want->exempt, have->exempt, exempt_compare, NULL));
	return r ? r
		 : diff_rows_set(d, &foreign_rows,
				 WALK_OF(want->foreign, have->foreign, foreign_compare, NULL));
}

int diff_services_set(struct diff *d)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	int r = set_left(d);

	if (!r)
		r = diff_rows_set(d, &backends_rows,
				  WALK_OF(want->backends, have->backends, backends_compare, NULL));
	if (!r)
		r = diff_rows_set(d, &service_rows,
				  WALK_OF(want->services, have->services, service_compare, NULL));
	if (r || want->stays)
		return r;
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
	op = op_add(plan, PHASE_REMOVE, OP_SOCKET_DETACH, "detach");
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

/* One that is different may have lost one; whether it has, shows when sockets are looked at. */
static bool loses_backends(const struct diff *d, const struct service_row *service)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	struct tp_sock_rev led = { .vip = service->key.vip, .vip_port = service->key.port };
	const struct backends_row *row;
	uint32_t i;

	led.backend_port = service->service.target_port;
	array_for_each(row, &have->backends)
		for (i = 0; row->id == service->service.backends && i < row->backends.count &&
			    i < TP_BACKEND_MAX;
		     i++) {
			led.backend = row->backends.addrs[i];
			if (!socket_lb_leads(want, IPPROTO_UDP, &led))
				return true;
		}
	return false;
}

/* Last, when nobody is led there any more. */
static int close_sockets(struct diff *d)
{
	const struct service_row *service;

	if (!d->want->socket_lb.closes)
		return 0;
	array_for_each(service, &d->have->socket_lb.services)
		if (service->key.protocol == IPPROTO_UDP && loses_backends(d, service))
			return op_add(&d->plan, PHASE_REMOVE, OP_SOCKETS_CLOSE, "close") ? 0
											 : -ENOMEM;
	return 0;
}

static int remove_left(struct diff *d)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	int r;

	if (want->stays)
		return 0;
	r = diff_rows_remove(d, OP_FOREIGN_REMOVE,
			     WALK_OF(want->foreign, have->foreign, foreign_compare, NULL));
	return r ? r
		 : diff_rows_remove(d, OP_EXEMPT_REMOVE,
				    WALK_OF(want->exempt, have->exempt, exempt_compare, NULL));
}

int diff_services_remove(struct diff *d)
{
	const struct socket_lb *want = &d->want->socket_lb, *have = &d->have->socket_lb;
	int r = want->stays ? 0 : detach(d);

	if (!r)
		r = diff_rows_remove(
			d, OP_SERVICE_REMOVE,
			WALK_OF(want->services, have->services, service_compare, NULL));
	if (!r)
		r = diff_rows_remove(
			d, OP_BACKENDS_REMOVE,
			WALK_OF(want->backends, have->backends, backends_compare, NULL));
	if (!r)
		r = remove_left(d);
	return r ? r : close_sockets(d);
}
