// SPDX-License-Identifier: GPL-2.0-only
#include "model/state.h"

void state_tunnel_clear(struct state_tunnel *tunnel)
{
	struct state_peer *peer;

	array_for_each(peer, &tunnel->peers) {
		key_wipe(&peer->preshared_key);
		array_clear(&peer->allowed_ips);
	}
	key_wipe(&tunnel->private_key);

	array_clear(&tunnel->peers);
	array_clear(&tunnel->addresses);
	*tunnel = (struct state_tunnel){ 0 };
}

static void clear_tables(struct tables *tables)
{
	array_clear(&tables->src);
	array_clear(&tables->dst);
	array_clear(&tables->ports);
	array_clear(&tables->classes);
	array_clear(&tables->routes);
	array_clear(&tables->rules);
	array_clear(&tables->probes);
}

void state_free(struct state *state)
{
	if (!state)
		return;

	state_tunnel_clear(&state->tunnel);
	clear_tables(&state->tables);
	array_clear(&state->routes);
	array_clear(&state->rules);
	array_clear(&state->lan_addresses);
	array_clear(&state->local_vips);
	array_clear(&state->found_vips);
	array_clear(&state->sysctls);
	array_clear(&state->attachments);
	array_clear(&state->unpinned);
	array_clear(&state->devices);
	array_clear(&state->peer_info);
	array_clear(&state->route_info);
	intern_free(&state->texts);
	socket_lb_clear(&state->socket_lb);
	*state = (struct state){ 0 };
}
