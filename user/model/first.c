// SPDX-License-Identifier: GPL-2.0-only
#include "model/first.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Hosts of the mesh's prefix; what is below 10 is left for more nodes. */
#define NODE_HOST 1
#define PEER_HOST 10

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* ---- the LAN ---- */

static bool is_private(const struct prefix *prefix)
{
	static const char *const texts[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
					     "fc00::/7" };
	struct prefix block;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!prefix_read(texts[i], &block) && prefix_contains(&block, prefix))
			return true;
	return false;
}

static bool is_link_local(const struct addr *addr)
{
	struct prefix block;

	return addr_is_link_local(addr) ||
	       (!prefix_read("169.254.0.0/16", &block) && prefix_has_addr(&block, addr));
}

/* A prefix that hosts share, as an address of this machine shows it. False: it shows none. */
static bool connected(const struct facts_addr *addr, struct prefix *out)
{
	char text[ADDR_TEXT_SIZE], with_length[ADDR_TEXT_SIZE + 4];
	int length = addr_is_v4(&addr->addr) ? addr->len - ADDR_MAPPED_BITS : addr->len;
	int r;

	if (addr->len == 128 || addr->link_scope || is_link_local(&addr->addr))
		return false;
	snprintf(with_length, sizeof(with_length), "%s/%d", addr_put(text, &addr->addr), length);
	r = prefix_read(with_length, out);
	return !r || r == -EDOM; /* -EDOM: the host bits are off in *out */
}

static bool can_be_lan(const struct facts_link *link)
{
	return link->up && link->ethernet && !link->loopback && !link->ours;
}

static bool has_private_prefix(const struct facts *facts, const struct facts_link *link)
{
	const struct facts_addr *addr;
	struct prefix prefix;

	array_for_each(addr, &facts->addrs)
		if (addr->ifindex == link->ifindex && connected(addr, &prefix) &&
		    is_private(&prefix))
			return true;
	return false;
}

static bool has_default_route(const struct facts *facts, const struct facts_link *link)
{
	const struct facts_route *route;

	array_for_each(route, &facts->routes)
		if (route->ifindex == link->ifindex && prefix_is_default(&route->prefix))
			return true;
	return false;
}

/* What speaks for a device: bridges of containers have neither a card nor the way out. */
static int rank(const struct facts *facts, const struct facts_link *link)
{
	if (!can_be_lan(link) || !has_private_prefix(facts, link))
		return 0;
	return 1 + link->hardware + 2 * has_default_route(facts, link);
}

static int refuse_choice(const struct facts *facts, int best, struct err *err)
{
	const struct facts_link *link;
	char names[128] = "";
	size_t used = 0;

	if (!best)
		return err_set(err, -ENODEV,
			       "no device that is up has a private prefix (RFC 1918, RFC 4193); "
			       "name the LAN's: --lan DEV");
	array_for_each(link, &facts->links)
		if (rank(facts, link) == best && used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "", link->name);
	return err_set(err, -ENODEV, "more than one device could be the LAN's (%s); say: --lan DEV",
		       names);
}

static const struct facts_link *choose_lan(const struct facts *facts, struct err *err)
{
	const struct facts_link *link, *found = NULL;
	int best = 0;

	array_for_each(link, &facts->links) {
		int r = rank(facts, link);

		if (!r || r < best)
			continue;
		found = r > best ? link : NULL; /* equal ones: neither */
		best = r;
	}
	if (!found)
		refuse_choice(facts, best, err);
	return found;
}

static const struct facts_link *named_lan(const struct facts *facts, const char *name,
					  struct err *err)
{
	const struct facts_link *link = facts_find_link(facts, name);

	if (!link)
		err_set(err, -ENODEV, "there is no device %s", name);
	else if (!can_be_lan(link))
		err_set(err, -ENODEV, "%s is no Ethernet device that is up", name);
	else
		return link;
	return NULL;
}

static int compare_routes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

static bool has_route(const struct first *first, const struct prefix *prefix)
{
	const struct prefix *route;

	array_for_each(route, &first->routes)
		if (prefix_is_equal(route, prefix))
			return true;
	return false;
}

/* Of a chosen device only what is private: nobody wants a provider's prefix in a mesh. */
static int take_routes(const struct facts *facts, const struct facts_link *link, bool named,
		       struct first *out, struct err *err)
{
	const struct facts_addr *addr;
	struct prefix prefix, *route;

	array_for_each(addr, &facts->addrs) {
		if (addr->ifindex != link->ifindex || !connected(addr, &prefix) ||
		    !(named || is_private(&prefix)))
			continue;
		if (addr_is_zero(&out->lan_addr) ||
		    (addr_is_v4(&addr->addr) && !addr_is_v4(&out->lan_addr)))
			out->lan_addr = addr->addr;
		if (has_route(out, &prefix))
			continue;
		route = array_add(&out->routes);
		if (!route)
			return no_memory(err);
		*route = prefix;
	}
	if (!out->routes.count)
		return err_set(err, -ENODEV, "%s has no address whose prefix others could share",
			       link->name);
	/* in the 16-byte form, ::ffff:0:0/96 is below every unique local address */
	qsort(out->routes.items, out->routes.count, sizeof(*out->routes.items), compare_routes);
	return 0;
}

/* ---- the mesh ---- */

static bool overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_contains(a, b) || prefix_contains(b, a);
}

static bool is_in_use(const struct facts *facts, const struct prefix *prefix)
{
	const struct facts_route *route;
	const struct facts_addr *addr;

	array_for_each(route, &facts->routes)
		if (!prefix_is_default(&route->prefix) && overlaps(&route->prefix, prefix))
			return true;
	array_for_each(addr, &facts->addrs)
		if (prefix_has_addr(prefix, &addr->addr))
			return true;
	return false;
}

/* A /24 of 100.64.0.0/10, whose addresses no LAN uses (RFC 6598). */
static int choose_v4(const struct facts *facts, struct first *out, struct err *err)
{
	struct prefix prefix;
	char text[PREFIX_TEXT_SIZE];
	int i;

	for (i = 0; i < 64; i++) {
		snprintf(text, sizeof(text), "100.%d.0.0/24", 64 + (16 + i) % 64);
		if (prefix_read(text, &prefix) || is_in_use(facts, &prefix))
			continue;
		out->node[0] = prefix.addr;
		out->node[0].bytes[15] = NODE_HOST;
		out->peer[0] = prefix.addr;
		out->peer[0].bytes[15] = PEER_HOST;
		return 0;
	}
	return err_set(err, -EADDRNOTAVAIL, "every prefix of 100.64.0.0/10 is routed already");
}

static void choose_v6(const uint8_t *random, struct first *out)
{
	struct addr base = { .bytes = { 0xfd } };

	memcpy(base.bytes + 1, random, FIRST_RANDOM_BYTES);
	out->node[1] = base;
	out->node[1].bytes[15] = NODE_HOST;
	out->peer[1] = base;
	out->peer[1].bytes[15] = 0x10; /* people read it as the IPv4 one */
}

int first_find(const struct facts *facts, const char *lan, const uint8_t *random, struct first *out,
	       struct err *err)
{
	const struct facts_link *link;
	int r;

	*out = (struct first){ 0 };
	link = lan ? named_lan(facts, lan, err) : choose_lan(facts, err);
	if (!link)
		return err->code;
	snprintf(out->lan, sizeof(out->lan), "%s", link->name);
	r = take_routes(facts, link, lan, out, err);
	if (!r)
		r = choose_v4(facts, out, err);
	if (!r)
		choose_v6(random, out);
	return r;
}

void first_free(struct first *first)
{
	array_clear(&first->routes);
}
