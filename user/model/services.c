// SPDX-License-Identifier: GPL-2.0-only
#include "model/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int service_compare(const void *a, const void *b)
{
	const struct service_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

int backends_compare(const void *a, const void *b)
{
	const struct backends_row *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int exempt_compare(const void *a, const void *b)
{
	const struct exempt_row *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

int foreign_compare(const void *a, const void *b)
{
	const struct foreign_row *x = a, *y = b;

	return memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));
}

void socket_lb_sort(struct socket_lb *lb)
{
	if (lb->services.count)
		qsort(lb->services.items, lb->services.count, sizeof(*lb->services.items),
		      service_compare);
	if (lb->backends.count)
		qsort(lb->backends.items, lb->backends.count, sizeof(*lb->backends.items),
		      backends_compare);
	if (lb->exempt.count)
		qsort(lb->exempt.items, lb->exempt.count, sizeof(*lb->exempt.items),
		      exempt_compare);
	if (lb->foreign.count)
		qsort(lb->foreign.items, lb->foreign.count, sizeof(*lb->foreign.items),
		      foreign_compare);
}

static bool has_alike(const struct tp_backends *a, const struct tp_backends *b)
{
	return a->count == b->count && !memcmp(a->name, b->name, sizeof(a->name)) &&
	       !memcmp(a->addrs, b->addrs, sizeof(a->addrs));
}

bool socket_lb_serves_alike(const struct socket_lb *a, const struct socket_lb *b)
{
	size_t i;

	if (a->services.count != b->services.count || a->backends.count != b->backends.count)
		return false;
	for (i = 0; i < a->services.count; i++)
		if (memcmp(&a->services.items[i], &b->services.items[i],
			   sizeof(a->services.items[i])) != 0)
			return false;
	for (i = 0; i < a->backends.count; i++)
		if (a->backends.items[i].id != b->backends.items[i].id ||
		    !has_alike(&a->backends.items[i].backends, &b->backends.items[i].backends))
			return false;
	return true;
}

void socket_lb_clear(struct socket_lb *lb)
{
	array_clear(&lb->services);
	array_clear(&lb->backends);
	array_clear(&lb->exempt);
	array_clear(&lb->foreign);
	array_clear(&lb->below);
	*lb = (struct socket_lb){ 0 };
}

static const struct backends_row *find_backends(const struct socket_lb *lb, uint32_t id)
{
	const struct backends_row key = { .id = id };

	return lb->backends.count ? bsearch(&key, lb->backends.items, lb->backends.count,
					    sizeof(key), backends_compare)
				  : NULL;
}

bool socket_lb_leads(const struct socket_lb *lb, uint8_t protocol, const struct tp_sock_rev *rev)
{
	const struct service_row key = {
		.key = { .vip = rev->vip, .port = rev->vip_port, .protocol = protocol }
	};
	const struct service_row *service =
		lb->services.count ? bsearch(&key, lb->services.items, lb->services.count,
					     sizeof(key), service_compare)
				   : NULL;
	const struct backends_row *row =
		service ? find_backends(lb, service->service.backends) : NULL;
	uint32_t i;

	if (!row || service->service.target_port != rev->backend_port)
		return false;
	for (i = 0; i < row->backends.count && i < TP_BACKEND_MAX; i++)
		if (!memcmp(&row->backends.addrs[i], &rev->backend, sizeof(rev->backend)))
			return true;
	return false;
}

unsigned int socket_lb_links(const struct socket_lb *lb, enum socket_set set)
{
	const struct socket_below *below;
	unsigned int count = 0, i;

	for (i = 0; i < SOCKET_SET_SIZE; i++)
		count += lb->link_ids[set * SOCKET_SET_SIZE + i] != 0;
	if (set == SOCKET_SET_HIDE)
		array_for_each(below, &lb->below)
			for (i = 0; i < SOCKET_HIDES; i++)
				count += below->link_ids[i] != 0;
	return count;
}

const char *socket_below_path(char out[SOCKET_BELOW_PATH_SIZE], const struct socket_lb *lb,
			      const struct socket_below *below)
{
	snprintf(out, SOCKET_BELOW_PATH_SIZE, "%s/%s", lb->settings.cgroup, below->name);
	return out;
}

void socket_lb_each_link(const struct socket_lb *lb,
			 void (*each)(void *data, const char *cgroup, enum socket_program program,
				      uint32_t link_id),
			 void *data)
{
	char path[SOCKET_BELOW_PATH_SIZE];
	const struct socket_below *below;
	unsigned int i;

	for (i = 0; i < SOCKET_PROGRAMS; i++)
		if (lb->link_ids[i])
			each(data, lb->settings.cgroup, i, lb->link_ids[i]);
	array_for_each(below, &lb->below)
		for (i = 0; i < SOCKET_HIDES; i++)
			if (below->link_ids[i])
				each(data, socket_below_path(path, lb, below),
				     SOCKET_HIDE_CONNECT4 + i, below->link_ids[i]);
}

const char *socket_program_name(enum socket_program program)
{
	static const char *const names[SOCKET_PROGRAMS] = {
		[SOCKET_GETPEERNAME4] = "tp_getpeername4",
		[SOCKET_GETPEERNAME6] = "tp_getpeername6",
		[SOCKET_RECVMSG4] = "tp_recvmsg4",
		[SOCKET_RECVMSG6] = "tp_recvmsg6",
		[SOCKET_SENDMSG4] = "tp_sendmsg4",
		[SOCKET_SENDMSG6] = "tp_sendmsg6",
		[SOCKET_CONNECT4] = "tp_connect4",
		[SOCKET_CONNECT6] = "tp_connect6",
		[SOCKET_RESTORE_CONNECT4] = "tp_restore_c4",
		[SOCKET_RESTORE_CONNECT6] = "tp_restore_c6",
		[SOCKET_RESTORE_SENDMSG4] = "tp_restore_s4",
		[SOCKET_RESTORE_SENDMSG6] = "tp_restore_s6",
		[SOCKET_HIDE_CONNECT4] = "tp_hide_c4",
		[SOCKET_HIDE_CONNECT6] = "tp_hide_c6",
		[SOCKET_HIDE_SENDMSG4] = "tp_hide_s4",
		[SOCKET_HIDE_SENDMSG6] = "tp_hide_s6",
	};

	return names[program];
}

const char *socket_set_name(enum socket_set set)
{
	return set == SOCKET_SET_LB ? "socket-lb" : "socket-hide";
}
