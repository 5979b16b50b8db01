// SPDX-License-Identifier: GPL-2.0-only
/* What status says, whichever way it is printed. */
#include "report/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/expiry.h"
#include "report/status_routes.h"

/* WireGuard drops a session's keys after 180 s without a handshake (REJECT_AFTER_TIME). */
#define HANDSHAKE_FRESH 180

const struct state_peer *status_find_peer(const struct state *have, const struct tp_peer_info *info)
{
	struct key public_key;

	memcpy(public_key.bytes, info->public_key, KEY_SIZE);
	return state_find_peer(have, &public_key);
}

static int compare_id(const void *key, const void *row)
{
	uint32_t a = *(const uint16_t *)key, b = ((const struct peer_info_row *)row)->id;

	return a < b ? -1 : a > b;
}

const struct tp_peer_info *status_find_via(const struct state *have,
					   const struct tp_peer_info *info)
{
	const struct peer_info_row *row = NULL;

	if (info->via && have->peer_info.count)
		row = bsearch(&info->via, have->peer_info.items, have->peer_info.count,
			      sizeof(*row), compare_id);
	return row ? &row->info : NULL;
}

const struct stats_address *status_find_addresses(const struct stats *stats, uint32_t peer,
						  size_t *count)
{
	size_t low = 0, high = stats->addresses.count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (stats->addresses.items[middle].peer < peer)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < stats->addresses.count; end++)
		if (stats->addresses.items[end].peer != peer)
			break;
	*count = end - low;
	return *count ? &stats->addresses.items[low] : NULL;
}

const char *status_peer_state(const struct status *status, const struct tp_peer_info *info)
{
	const struct tp_peer_info *via = status_find_via(status->have, info);
	const struct state_peer *peer = status_find_peer(status->have, via ? via : info);

	if (expiry_judge((int64_t)info->key_expiry, status->now) == EXPIRY_PAST)
		return "expired";
	return status_session_state(status, peer);
}

const char *status_backend(const struct state_tunnel *tunnel)
{
	switch (tunnel->backend) {
	case STATE_BACKEND_KERNEL: return "kernel";
	case STATE_BACKEND_USERSPACE: return "userspace";
	default: return NULL;
	}
}

const char *status_session_state(const struct status *status, const struct state_peer *peer)
{
	if (!peer || !peer->latest_handshake)
		return "down";
	return status->now - peer->latest_handshake <= HANDSHAKE_FRESH ? "up" : "idle";
}

const char *status_route_state(uint8_t state)
{
	static const char *const names[] = {
		[TP_ROUTE_UNAPPROVED] = "unapproved",
		[TP_ROUTE_ACTIVE] = "active",
		[TP_ROUTE_STANDBY] = "standby",
		[TP_ROUTE_CONFLICT] = "conflict",
		[TP_ROUTE_DOWN] = "down",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

uint8_t status_route_now(const struct status *status, size_t row, const char **reason)
{
	const struct route_info_row *info = &status->have->route_info.items[row];

	if (!status->routes) {
		*reason = state_text(status->have, info->reason);
		return info->state;
	}
	*reason = status->routes->items[row].reason;
	return status->routes->items[row].state;
}

const char *status_snat(char *buf, const struct route_info_row *info)
{
	if (info->snat == TP_SNAT_MASQUERADE)
		return "masquerade";
	if (info->snat == TP_SNAT_NONE)
		return "none";
	return addr_put(buf, &info->snat_addr);
}
