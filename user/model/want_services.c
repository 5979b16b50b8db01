// SPDX-License-Identifier: GPL-2.0-only
/* The services, of which every node has all, and the socket load balancer. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/want_parts.h"

/*
 * A row keeps its number as long as its service lives; 0 is never given away. That of a service
 * which goes is not given away at once: its addresses lead to the row until they are removed.
 */
struct numbers {
	bool used[TP_SERVICE_MAX + 1];
	bool leaving[TP_SERVICE_MAX + 1];
};

static const struct facts_service_id *find_id(const struct facts *facts, const char *name)
{
	const struct facts_service_id *id;

	array_for_each(id, &facts->service_ids)
		if (id->id <= TP_SERVICE_MAX && !strncmp(id->name, name, sizeof(id->name)))
			return id;
	return NULL;
}

static void keep_numbers(const struct want_builder *b, struct numbers *numbers)
{
	const struct config_service *service;
	const struct facts_service_id *id;

	array_for_each(id, &b->view->facts->service_ids)
		if (id->id <= TP_SERVICE_MAX)
			numbers->leaving[id->id] = true;
	array_for_each(service, &b->view->policy->config->services) {
		id = find_id(b->view->facts, service->name);
		if (id)
			numbers->used[id->id] = true;
	}
}

/* There are as many as services may be; only when each has a row, one that leaves is given on. */
static uint32_t free_number(const struct numbers *numbers)
{
	uint32_t id, last = 0;

	for (id = 1; id <= TP_SERVICE_MAX; id++) {
		if (!numbers->used[id] && !numbers->leaving[id])
			return id;
		if (!numbers->used[id] && !last)
			last = id;
	}
	return last;
}

static uint32_t number_of(const struct want_builder *b, struct numbers *numbers,
			  const struct config_service *service)
{
	const struct facts_service_id *known = find_id(b->view->facts, service->name);
	uint32_t id = known ? known->id : free_number(numbers);

	numbers->used[id] = true;
	return id;
}

/* What is not probed counts as healthy; what is, as it was last found. */
static bool is_dead(const struct facts *facts, const struct config_service *service,
		    const struct addr *backend)
{
	const struct facts_dead *dead;

	if (!service->health.set)
		return false;
	array_for_each(dead, &facts->dead)
		if (!strncmp(dead->service, service->name, sizeof(dead->service)) &&
		    !memcmp(&dead->backend, backend, sizeof(dead->backend)))
			return true;
	return false;
}

static int add_backends(struct want_builder *b, const struct config_service *service, uint32_t id)
{
	struct backends_row *row = array_add(&b->out->socket_lb.backends);
	const struct addr *addr;

	if (!row)
		return want_no_memory(b);
	row->id = id;
	snprintf(row->backends.name, sizeof(row->backends.name), "%s", service->name);
	array_for_each(addr, &service->backends) {
		if (!is_dead(b->view->facts, service, addr))
			row->backends.healthy |= 1ULL << row->backends.count;
		memcpy(&row->backends.addrs[row->backends.count++], addr, sizeof(struct tp_addr));
	}
	return 0;
}

static int add_port(struct want_builder *b, const struct config_service *service,
		    const struct config_service_port *port, uint32_t id)
{
	static const uint8_t policies[] = { [LB_FAILOVER] = TP_SERVICE_FAILOVER,
					    [LB_RANDOM] = TP_SERVICE_RANDOM,
					    [LB_SOURCE] = TP_SERVICE_SOURCE };
	struct service_row *row = array_add(&b->out->socket_lb.services);

	if (!row)
		return want_no_memory(b);
	memcpy(&row->key.vip, &service->vip, sizeof(row->key.vip));
	row->key.port = htons(port->port);
	row->key.protocol = port->proto;
	row->service.backends = id;
	row->service.target_port = htons(port->target_port);
	row->service.policy = policies[service->policy];
	return 0;
}

static int add_service(struct want_builder *b, const struct config_service *service, uint32_t id)
{
	const struct config_service_port *port;
	int r = add_backends(b, service, id);

	array_for_each(port, &service->ports)
		if (!r)
			r = add_port(b, service, port, id);
	return r;
}

static int add_exempt(struct want_builder *b)
{
	const struct exempt_row *found;

	array_for_each(found, &b->view->facts->exempt) {
		struct exempt_row *row = array_add(&b->out->socket_lb.exempt);

		if (!row)
			return want_no_memory(b);
		*row = *found;
	}
	return 0;
}

static bool has_foreign(const struct socket_lb *lb, const struct foreign_row *row)
{
	const struct foreign_row *other;

	array_for_each(other, &lb->foreign)
		if (!foreign_compare(other, row))
			return true;
	return false;
}

/* A prefix that is named twice has one row. */
static int add_foreign(struct want_builder *b)
{
	const struct prefix *prefix;

	array_for_each(prefix, &b->view->policy->config->socket_lb.foreign_serves) {
		struct foreign_row found = { .prefix.prefix_len = prefix->len }, *row;

		memcpy(&found.prefix.addr, &prefix->addr, sizeof(found.prefix.addr));
		found.foreign.v4 = addr_is_v4(&prefix->addr);
		if (has_foreign(&b->out->socket_lb, &found))
			continue;
		row = array_add(&b->out->socket_lb.foreign);
		if (!row)
			return want_no_memory(b);
		*row = found;
	}
	return 0;
}

/* With whom other tools' programs shall not interfere, as far as the kernel lets us. */
static uint32_t want_hide(const struct want_builder *b)
{
	const struct config *config = b->view->policy->config;
	enum facts_order order = b->view->facts->cgroup.order;
	uint32_t below = order == FACTS_ORDER_BELOW ? TP_HIDE_BELOW : 0;

	if (config->socket_lb.foreign == FOREIGN_HIDE)
		return TP_HIDE_EXEMPT | below;
	if (!config_find_probed(config) || order == FACTS_ORDER_UNKNOWN ||
	    order == FACTS_ORDER_SHUT)
		return TP_HIDE_NOTHING;
	return TP_HIDE_PROBES | below;
}

/* Why other tools' programs may see what this process asks backends; NULL: they do not. */
static const char *why_probes_show(const struct want_builder *b)
{
	const struct facts_cgroup *cgroup = &b->view->facts->cgroup;

	if (!cgroup->id)
		return "there is no cgroup to keep it away in (socket_lb.cgroup)";
	if (cgroup->order == FACTS_ORDER_UNKNOWN)
		return "no cgroup can be made there to find out how to keep it away from probes";
	if (cgroup->order == FACTS_ORDER_SHUT)
		return "a program there lets none run beside it";
	if (cgroup->order == FACTS_ORDER_BELOW && cgroup->holds_us)
		return "without BPF_F_PREORDER it is kept away from probes of processes in cgroups "
		       "below alone, and towpath is in none";
	return NULL;
}

static int warn_of_probes(struct want_builder *b)
{
	const struct config_service *probed = config_find_probed(b->view->policy->config);
	const char *why = why_probes_show(b), *path = b->view->facts->cgroup.path;

	if (!probed || !why)
		return 0;
	if (problems_add(b->warnings, probed->health.place,
			 "another tool%s%s that translates sockets may answer for a dead "
			 "backend: %s",
			 *path ? " in " : "", path, why))
		return want_no_memory(b);
	return 0;
}

static void want_settings(const struct want_builder *b)
{
	static const uint32_t modes[] = { [LB_MODE_ALL] = TP_SOCKET_ALL,
					  [LB_MODE_HOST_ONLY] = TP_SOCKET_HOST_ONLY,
					  [LB_MODE_OFF] = TP_SOCKET_OFF };
	const struct facts *facts = b->view->facts;
	struct socket_lb *lb = &b->out->socket_lb;

	if (lb->services.count && b->view->policy->config->socket_lb.mode != LB_MODE_OFF)
		lb->cgroup_id[SOCKET_SET_LB] = facts->cgroup.id;
	lb->settings.hide = want_hide(b);
	if (lb->settings.hide)
		lb->cgroup_id[SOCKET_SET_HIDE] = facts->cgroup.id;
	memcpy(lb->settings.cgroup, facts->cgroup.path, sizeof(lb->settings.cgroup));
	lb->settings.host_cookie = facts->netns_cookie;
	lb->settings.mode = modes[b->view->policy->config->socket_lb.mode];
}

static int add_services(struct want_builder *b)
{
	const struct config *config = b->view->policy->config;
	const struct config_service *service;
	struct numbers numbers = { 0 };
	int r = 0;

	keep_numbers(b, &numbers);
	array_for_each(service, &config->services)
		if (!r)
			r = add_service(b, service, number_of(b, &numbers, service));
	return r;
}

static int want_closing(struct want_builder *b)
{
	bool can = b->view->facts->closes_sockets;

	/* turned off, or on "down", nobody is led anywhere else: what goes on, goes on */
	if (b->view->policy->config->socket_lb.mode == LB_MODE_OFF || b->out->socket_lb.stays)
		return 0;
	b->out->socket_lb.closes = can;
	if (can || !b->out->socket_lb.services.count)
		return 0;
	if (problems_add(b->warnings, "$.services",
			 "when a backend is removed, UDP sockets that are connected to it stay so: "
			 "this kernel cannot close them (CONFIG_INET_UDP_DIAG, "
			 "CONFIG_INET_DIAG_DESTROY)"))
		return want_no_memory(b);
	return 0;
}

/* Whose connect() is translated, or hidden from others. */
static int want_sockets(struct want_builder *b)
{
	int r = add_exempt(b);

	if (!r)
		r = add_foreign(b);
	want_settings(b);
	return r;
}

int want_services(struct want_builder *b)
{
	int r = add_services(b);

	b->out->socket_lb.stays = b->view->facts->sockets_unknown;
	if (!r && b->view->facts->cgroup.id && !b->out->socket_lb.stays)
		r = want_sockets(b);
	if (!r && !b->out->socket_lb.stays)
		r = warn_of_probes(b);
	socket_lb_sort(&b->out->socket_lb);
	/* without any service there is no cgroup, and what they led somewhere is closed */
	return r ? r : want_closing(b);
}
