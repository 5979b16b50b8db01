// SPDX-License-Identifier: GPL-2.0-only
#include "places.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC(last)                     \
	{                             \
		2, 0, 0, 0, 0, (last) \
	}

static const struct place places[] = {
	/* the mesh: this node, two clients, one whose key has expired, another node, nobody */
	{ "self", "100.64.0.1", "fd7a::1", { 0 } },
	{ "phone", "100.64.0.2", "fd7a::2", { 0 } },
	{ "tablet", "100.64.0.3", "fd7a::3", { 0 } },
	{ "expired", "100.64.0.4", "fd7a::4", { 0 } },
	{ "branch", "100.64.0.9", "fd7a::9", { 0 } },
	{ "nobody", "100.64.0.77", "fd7a::77", { 0 } },
	/* services: one's address, and that of one whose backends are all over the place */
	{ "vip", "100.64.0.53", "fd7a::53", { 0 } },
	{ "vip2", "100.64.0.54", "fd7a::54", { 0 } },
	/* behind the other node */
	{ "remote", "10.9.0.5", "fd0a:9::5", { 0 } },
	/* on lan0: this machine, hosts, one that no neighbour entry names, a router */
	{ "lan", "192.0.2.1", "2001:db8:30::1", { 0 } },
	{ "host", "192.0.2.10", "2001:db8:30::10", MAC(0x10) },
	{ "host2", "192.0.2.11", "2001:db8:30::11", MAC(0x11) },
	{ "ghost", "192.0.2.99", "2001:db8:30::99", { 0 } },
	{ "router", "192.0.2.254", "2001:db8:30::fe", MAC(0xfe) },
	{ "snat", "192.0.2.5", "2001:db8:30::5", { 0 } },
	{ "moved", "192.0.2.7", "2001:db8:30::7", { 0 } },
	/* routes inside the prefix of lan0 that the kernel treats differently */
	{ "hole", "192.0.2.66", "2001:db8:30::66", { 0 } },
	{ "unreachable", "192.0.2.67", "2001:db8:30::67", { 0 } },
	{ "prohibited", "192.0.2.68", "2001:db8:30::68", { 0 } },
	/* behind the router of lan0; on lan1; behind a device that is not ours */
	{ "far", "203.0.113.5", "2001:db8:71::5", { 0 } },
	{ "beyond", "198.51.100.7", "2001:db8:31::7", MAC(0x17) },
	{ "lan1", "198.51.100.1", "2001:db8:31::1", { 0 } },
	{ "away", "10.77.0.5", "fd77::5", { 0 } },
	/* an address of this machine in no route of the policy, and a host in none */
	{ "apart", "198.18.5.1", "2001:db8:fe::1", { 0 } },
	{ "elsewhere", "198.18.0.1", "2001:db8:ff::1", { 0 } },
};

const struct place *places_next(const struct place *place)
{
	const struct place *next = place ? place + 1 : places;

	return next < places + sizeof(places) / sizeof(places[0]) ? next : NULL;
}

const struct place *places_find(const char *name)
{
	const struct place *place;

	for (place = places_next(NULL); place; place = places_next(place))
		if (!strcmp(place->name, name))
			return place;
	return NULL;
}

const char *places_text(const char *name, enum family family)
{
	const struct place *place = places_find(name);

	if (!place)
		return name;
	return family == V4 ? place->v4 : place->v6;
}

void places_put_addr(const char *name, enum family family, uint8_t *out)
{
	if (inet_pton(family == V4 ? AF_INET : AF_INET6, places_text(name, family), out) == 1)
		return;
	fprintf(stderr, "packet tier: there is no place \"%s\" in IPv%d\n", name, family);
	exit(2);
}
