// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/want_parts.h"

#define MTU_OVERHEAD 80 /* WireGuard over IPv6; 60 over IPv4, but the endpoint may change */
#define MTU_MIN      1280
#define MTU_DEFAULT  1420

/* "auto": what fits through the device of the default route. */
static uint32_t mtu_of_underlay(const struct facts *facts)
{
	const struct facts_route *route, *best = NULL;
	const struct facts_link *link;
	uint32_t mtu;

	array_for_each(route, &facts->routes)
		if (prefix_is_default(&route->prefix) && route->ifindex &&
		    (!best || route->metric < best->metric))
			best = route;

	link = best ? facts_find_ifindex(facts, best->ifindex) : NULL;
	if (!link)
		return MTU_DEFAULT;

	mtu = link->mtu > MTU_OVERHEAD ? link->mtu - MTU_OVERHEAD : 0;
	return mtu < MTU_MIN ? MTU_MIN : mtu;
}

static int choose_backend(struct want_builder *b, const struct config_tunnel *tunnel)
{
	bool kernel = b->view->facts->kernel_wireguard;

	if (tunnel->backend == BACKEND_KERNEL && !kernel)
		return err_set(b->err, -EOPNOTSUPP,
			       "the policy asks for the kernel's WireGuard (%s.backend), but this "
			       "kernel has none: load the module wireguard, or set the backend to "
			       "\"auto\" or \"userspace\"",
			       tunnel->place);

	if (tunnel->backend == BACKEND_USERSPACE || !kernel)
		b->out->tunnel.backend = STATE_BACKEND_USERSPACE;
	else
		b->out->tunnel.backend = STATE_BACKEND_KERNEL;
	return 0;
}

static int check_name(struct want_builder *b, const struct config_tunnel *tunnel)
{
	const struct facts_link *link = facts_find_link(b->view->facts, tunnel->interface);

	if (link && !link->ours)
		return err_set(b->err, -EEXIST,
			       "there is an interface %s already, which towpath did not make: "
			       "remove it, or set %s.interface to another name",
			       tunnel->interface, tunnel->place);
	return 0;
}

/* A tunnel with another key comes up and never hears from anybody. */
static int check_key(struct want_builder *b)
{
	const struct facts *facts = b->view->facts;
	const struct config_node *node = b->view->self->node;
	struct key public_key;

	if (!facts->private_key_set)
		return 0;
	key_derive_public(&facts->private_key, &public_key);
	if (key_is_equal(&public_key, &node->public_key))
		return 0;
	return problems_add(b->warnings, node->place,
			    "its public_key does not belong to the private key in %s: "
			    "no peer will answer this machine",
			    node->tunnel.private_key_file);
}

static int addr_order(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static int add_addresses(struct want_builder *b)
{
	struct state_tunnel *tunnel = &b->out->tunnel;
	const struct addr *addr;

	array_for_each(addr, b->view->self->addresses) {
		struct addr *added = array_add(&tunnel->addresses);

		if (!added)
			return want_no_memory(b);
		*added = *addr;
	}
	if (tunnel->addresses.count)
		qsort(tunnel->addresses.items, tunnel->addresses.count, sizeof(struct addr),
		      addr_order);
	return 0;
}

static const struct facts_host *find_host(const struct facts *facts, const char *name)
{
	const struct facts_host *host;

	array_for_each(host, &facts->hosts)
		if (!strcmp(host->host, name))
			return host;
	return NULL;
}

/* FNV-1a: no secret, and nobody gains by a collision. */
uint32_t want_said(const struct policy_member *member)
{
	const char *c = member->endpoint->host;
	uint32_t hash = 2166136261U ^ member->endpoint->port;

	if (!c)
		return 0;
	for (; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619U;
	return hash ? hash : 1;
}

/* It may have roamed from where the policy names it, unless the policy names another place now. */
static bool was_seen(const struct want_builder *b, const struct state_peer *peer,
		     struct endpoint *out)
{
	const struct facts_seen *seen = facts_find_seen(b->view->facts, &peer->public_key);

	if (!seen || seen->said != peer->said)
		return false;
	*out = seen->endpoint;
	return true;
}

static int warn_unresolved(struct want_builder *b, const struct policy_member *member)
{
	AUTO_FREE char *place = mem_format("%s.endpoint", member->place);

	return place ? problems_add(b->warnings, place,
				    "\"%s\" does not resolve to an address: "
				    "%s must make contact first",
				    member->endpoint->host, member->name)
		     : -ENOMEM;
}

static int set_endpoint(struct want_builder *b, const struct policy_member *member,
			struct state_peer *peer)
{
	const struct config_endpoint *endpoint = member->endpoint;
	const struct facts_host *found;

	if (was_seen(b, peer, &peer->endpoint) || !endpoint->host)
		return 0;
	if (addr_read(endpoint->host, &peer->endpoint.addr)) {
		found = find_host(b->view->facts, endpoint->host);
		if (found && found->pending)
			return 0;
		if (!found || addr_is_zero(&found->addr))
			return warn_unresolved(b, member);
		peer->endpoint.addr = found->addr;
	}
	peer->endpoint.port = endpoint->port;
	return 0;
}

static int set_preshared_key(struct want_builder *b, const struct policy_member *member,
			     struct state_peer *peer)
{
	const struct facts_secret *secret;

	if (!member->preshared_key_file)
		return 0;

	array_for_each(secret, &b->view->facts->secrets) {
		if (strcmp(secret->path, member->preshared_key_file) != 0)
			continue;
		peer->preshared_key = secret->key;
		return 0;
	}
	return err_set(b->err, -ENOKEY, "the preshared key of %s, %s, was not read", member->name,
		       member->preshared_key_file);
}

static int add_allowed(struct want_builder *b, struct state_peer *peer, const struct prefix *prefix)
{
	struct prefix *added = array_add(&peer->allowed_ips);

	if (!added)
		return want_no_memory(b);

	*added = *prefix;
	return 0;
}

/* Its own setting, else ours: behind NAT a node keeps the way open to those it can call. */
static uint16_t keepalive(const struct view *view, const struct policy_member *member)
{
	if (member->keepalive || !member->endpoint->host)
		return member->keepalive;
	return view->self->keepalive;
}

static int add_peer(struct want_builder *b, const struct policy_member *member)
{
	struct state_peer *peer = array_add(&b->out->tunnel.peers);
	int r;

	if (!peer)
		return want_no_memory(b);

	strncpy(peer->name, member->name, sizeof(peer->name) - 1);
	peer->public_key = *member->public_key;
	peer->keepalive = keepalive(b->view, member);
	peer->said = want_said(member);
	r = set_endpoint(b, member, peer);
	return r ? r : set_preshared_key(b, member, peer);
}

static bool is_live_peer(const struct view *view, const struct policy_member *member)
{
	return member != view->self && !view_member_is_expired(view, member);
}

/*
 * The direct peers. of: for each member the index of the peer that carries what is sent to it;
 * nothing is sent to this node itself or to who has expired.
 */
static int add_peers(struct want_builder *b, uint32_t *of)
{
	const struct policy *policy = b->view->policy;
	uint32_t i;
	int r = 0;

	for (i = 0; !r && i < policy->members.count; i++) {
		if (!is_live_peer(b->view, &policy->members.items[i]) ||
		    policy_next_hop(policy, b->view->self, i) != i)
			continue;
		of[i] = (uint32_t)b->out->tunnel.peers.count;
		r = add_peer(b, &policy->members.items[i]);
	}
	for (i = 0; i < policy->members.count; i++)
		if (is_live_peer(b->view, &policy->members.items[i]))
			of[i] = of[policy_next_hop(policy, b->view->self, i)];
	return r;
}

static int add_member_addresses(struct want_builder *b, const struct policy_member *member,
				struct state_peer *peer)
{
	const struct addr *addr;
	int r = 0;

	array_for_each(addr, member->addresses) {
		struct prefix host = prefix_host(addr);

		if (!r)
			r = add_allowed(b, peer, &host);
	}
	return r;
}

/* Each address and active route in the allowed IPs of the peer that it is reached through. */
static int share_out(struct want_builder *b, const uint32_t *of)
{
	const struct policy *policy = b->view->policy;
	struct state_peer *peers = b->out->tunnel.peers.items;
	size_t i;
	int r = 0;

	for (i = 0; !r && i < policy->members.count; i++)
		if (is_live_peer(b->view, &policy->members.items[i]))
			r = add_member_addresses(b, &policy->members.items[i], &peers[of[i]]);
	for (i = 0; !r && i < policy->routes.count; i++) {
		uint32_t member = policy->routes.items[i].member;

		if (is_live_peer(b->view, &policy->members.items[member]) &&
		    b->view->routes[i].state == TP_ROUTE_ACTIVE)
			r = add_allowed(b, &peers[of[member]], &policy->routes.items[i].prefix);
	}
	return r;
}

static int want_peers(struct want_builder *b)
{
	AUTO_FREE uint32_t *of = mem_alloc(b->view->policy->members.count + 1, sizeof(*of));
	int r;

	if (!of)
		return want_no_memory(b);
	r = add_peers(b, of);
	return r ? r : share_out(b, of);
}

static int peer_compare(const void *a, const void *b)
{
	const struct state_peer *x = a, *y = b;

	return memcmp(&x->public_key, &y->public_key, sizeof(x->public_key));
}

static int allowed_compare(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

static void sort_peers(struct state_tunnel *tunnel)
{
	struct state_peer *peer;

	if (!tunnel->peers.count)
		return;

	qsort(tunnel->peers.items, tunnel->peers.count, sizeof(*peer), peer_compare);
	array_for_each(peer, &tunnel->peers)
		if (peer->allowed_ips.count)
			qsort(peer->allowed_ips.items, peer->allowed_ips.count,
			      sizeof(struct prefix), allowed_compare);
}

int want_tunnel(struct want_builder *b)
{
	const struct config_tunnel *config = &b->view->self->node->tunnel;
	struct state_tunnel *tunnel = &b->out->tunnel;
	int r;

	tunnel->exists = true;
	tunnel->up = true;
	strncpy(tunnel->name, config->interface, sizeof(tunnel->name) - 1);
	tunnel->listen_port = config->listen_port;
	tunnel->mtu = config->mtu ? config->mtu : mtu_of_underlay(b->view->facts);
	tunnel->private_key = b->view->facts->private_key;

	r = check_name(b, config);
	if (!r)
		r = choose_backend(b, config);
	if (!r)
		r = check_key(b);
	if (!r)
		r = add_addresses(b);
	if (!r)
		r = want_peers(b);
	sort_peers(tunnel);
	return r;
}
