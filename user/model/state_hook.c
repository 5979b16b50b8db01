// SPDX-License-Identifier: GPL-2.0-only
#include "model/state.h"

bool state_room_grows(uint32_t want, uint32_t have)
{
	return have && have < want;
}

bool state_grows(const struct state *want, const struct state *have)
{
	return state_room_grows(want->room.peers, have->room.peers) ||
	       state_room_grows(want->room.routes, have->room.routes);
}

const char *state_program_name(enum state_hook hook)
{
	static const char *const names[STATE_HOOKS] = {
		[HOOK_TC_TUNNEL] = "tp_tc_tunnel",
		[HOOK_TC_LAN] = "tp_tc_lan",
		[HOOK_TC_EGRESS] = "tp_tc_egress",
		[HOOK_XDP_LAN] = "tp_xdp_lan",
	};

	return names[hook];
}

const char *state_xdp_name(enum state_xdp xdp)
{
	static const char *const names[] = { [STATE_XDP_AUTO] = "auto",
					     [STATE_XDP_NATIVE] = "native",
					     [STATE_XDP_GENERIC] = "generic" };

	return names[xdp];
}
