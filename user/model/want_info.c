// SPDX-License-Identifier: GPL-2.0-only
/* Rows for people: names and states, as `status` reads them back from the kernel. */
#include <stdlib.h>
#include <string.h>

#include "model/want_parts.h"

static int add_peer(struct want_builder *b, size_t index)
{
	const struct policy *policy = b->view->policy;
	const struct policy_member *member = &policy->members.items[index];
	struct peer_info_row *row;
	uint32_t hop;

	if (member == b->view->self)
		return 0;
	row = array_add(&b->out->peer_info);
	if (!row)
		return want_no_memory(b);

	row->id = b->view->peer_ids[index];
	strncpy(row->info.name, member->name, sizeof(row->info.name) - 1);
	memcpy(row->info.public_key, member->public_key, sizeof(row->info.public_key));
	row->info.key_expiry = (uint64_t)member->key_expiry;
	hop = policy_next_hop(policy, b->view->self, (uint32_t)index);
	row->info.via = (uint16_t)(hop == index ? 0 : b->view->peer_ids[hop]);
	row->info.is_node = member->node != NULL;
	row->info.in_use = 1;
	row->info.endpoint = want_said(member);
	return 0;
}

static int add_route(struct want_builder *b, const struct view_route *route)
{
	static const uint8_t snat[] = { [SNAT_MASQUERADE] = TP_SNAT_MASQUERADE,
					[SNAT_NONE] = TP_SNAT_NONE,
					[SNAT_ADDRESS] = TP_SNAT_ADDRESS };
	const struct policy_route *from = route->route;
	struct route_info_row *row = array_add(&b->out->route_info);
	char reason[VIEW_REASON_SIZE];

	if (!row)
		return want_no_memory(b);

	row->id = route->id;
	row->prefix = from->prefix;
	row->state = route->state;
	row->approved = from->approved;
	row->snat = snat[from->snat];
	if (from->snat_addr)
		row->snat_addr = *from->snat_addr;
	if (state_add_text(b->out, view_carrier(b->view, route)->name, &row->node) ||
	    state_add_text(b->out, view_put_reason(reason, b->view, route), &row->reason))
		return want_no_memory(b);
	return 0;
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

/* By steps, so that not every peer that comes is one too many. Row 0 is nobody's. */
static uint32_t room_for(uint32_t highest_id)
{
	uint32_t room = 1024;

	while (room <= highest_id)
		room *= 2;
	return room;
}

static void want_room(struct state *out)
{
	const size_t peers = out->peer_info.count, routes = out->route_info.count;

	out->room.peers = room_for(peers ? out->peer_info.items[peers - 1].id : 0);
	out->room.routes = room_for(routes ? out->route_info.items[routes - 1].id : 0);
}

int want_info(struct want_builder *b)
{
	const struct policy *policy = b->view->policy;
	size_t i;
	int r = 0;

	for (i = 0; !r && i < policy->members.count; i++)
		r = add_peer(b, i);
	for (i = 0; !r && i < policy->routes.count; i++)
		r = add_route(b, &b->view->routes[i]);

	if (b->out->peer_info.count)
		qsort(b->out->peer_info.items, b->out->peer_info.count,
		      sizeof(*b->out->peer_info.items), peer_compare);
	if (b->out->route_info.count)
		qsort(b->out->route_info.items, b->out->route_info.count,
		      sizeof(*b->out->route_info.items), route_compare);
	want_room(b->out);
	return r;
}
