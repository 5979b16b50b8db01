// SPDX-License-Identifier: GPL-2.0-only
#include "model/unserved.h"

#include <errno.h>

#include "base/mem.h"

struct list {
	struct problems *out;
	int r; /* sticky */
};

/* `what` is not served, at `place` or at a key below it (key NULL: at the place itself). */
static void add(struct list *list, const char *place, const char *key, const char *what)
{
	AUTO_FREE char *below = NULL;

	if (list->r)
		return;

	below = key ? mem_format("%s.%s", place, key) : mem_copy_string(place);
	if (!below) {
		list->r = -ENOMEM;
		return;
	}
	list->r = problems_add(list->out, below, "%s is not served by this version yet", what);
}

static void add_tunnel(struct list *list, const struct config_tunnel *tunnel)
{
	/* the underlay is in another network namespace than all that is looked at */
	if (tunnel->netns && !tunnel->mtu)
		add(list, tunnel->place, "mtu", "\"auto\" beside \"netns\"");
}

static void add_route(struct list *list, const struct config_route *route)
{
	if (route->translate_set)
		add(list, route->place, "translate", "translation of a route");
	if (route->local == LOCAL_PREFER_MESH)
		add(list, route->place, "local", "\"prefer-mesh\"");
	if (route->local_vips.count)
		add(list, route->place, "local_vips", "a local VIP");
	if (route->probe.set)
		add(list, route->place, "probe", "probing a route");
}

int unserved_list(const struct config *config, struct problems *out)
{
	struct list list = { .out = out };
	const struct config_gateway *gateway;
	const struct config_route *route;
	const struct config_node *node;

	add_tunnel(&list, &config->tunnel);
	array_for_each(node, &config->nodes) {
		/* a node has the file's too unless it sets its own: that is named once, above */
		if (!config->tunnel.netns || config->tunnel.mtu)
			add_tunnel(&list, &node->tunnel);
	}
	array_for_each(gateway, &config->gateways)
		add(&list, gateway->place, NULL, "a gateway");
	array_for_each(route, &config->routes)
		add_route(&list, route);
	return list.r;
}

static int note_client(struct problems *out, const char *place)
{
	if (!place)
		return 0;
	return problems_add(out, place,
			    "checked, but no command of this version writes client files yet");
}

int unserved_notes(const struct config *config, struct problems *out)
{
	const struct config_peer *peer;
	int r = note_client(out, config->client.place);

	array_for_each(peer, &config->peers)
		if (!r)
			r = note_client(out, peer->client.place);
	return r;
}
