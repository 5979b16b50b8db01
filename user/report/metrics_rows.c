// SPDX-License-Identifier: GPL-2.0-only
/* Families with a sample for each peer, route or rule. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "report/metrics_out.h"
#include "report/metrics_parts.h"

/* ---- peers ---- */

struct peer {
	const struct tp_peer_info *info;
	const struct tp_peer_counter *counter;
	const struct state_peer *device; /* NULL: WireGuard does not have it */
	bool up;
};

static uint64_t peer_up(const struct peer *peer)
{
	return peer->up;
}

static uint64_t peer_handshake(const struct peer *peer)
{
	return peer->device ? (uint64_t)peer->device->latest_handshake : 0;
}

static uint64_t peer_expiry(const struct peer *peer)
{
	return peer->info->key_expiry;
}

static uint64_t peer_device_rx(const struct peer *peer)
{
	return peer->device ? peer->device->rx_bytes : 0;
}

static uint64_t peer_device_tx(const struct peer *peer)
{
	return peer->device ? peer->device->tx_bytes : 0;
}

static uint64_t peer_rx_bytes(const struct peer *peer)
{
	return peer->counter->rx_bytes;
}

static uint64_t peer_tx_bytes(const struct peer *peer)
{
	return peer->counter->tx_bytes;
}

static uint64_t peer_rx_packets(const struct peer *peer)
{
	return peer->counter->rx_packets;
}

static uint64_t peer_tx_packets(const struct peer *peer)
{
	return peer->counter->tx_packets;
}

static uint64_t peer_drops(const struct peer *peer)
{
	return peer->counter->drops;
}

/* rx is from the peer, as WireGuard says it. */
static const struct {
	const char *name, *type, *help;
	uint64_t (*value)(const struct peer *peer);
	bool not_zero; /* no sample rather than a zero */
} peer_families[] = {
	{ "towpath_peer_up", "gauge", "1 while the peer's last handshake is fresh.", peer_up,
	  false },
	{ "towpath_peer_latest_handshake_timestamp_seconds", "gauge",
	  "When it was, in seconds since the epoch; 0: never.", peer_handshake, false },
	{ "towpath_peer_key_expiry_timestamp_seconds", "gauge",
	  "When the peer's key expires; no sample: never.", peer_expiry, true },
	{ "towpath_peer_tunnel_rx_bytes_total", "counter",
	  "Bytes that WireGuard received from the peer, its own headers included.", peer_device_rx,
	  false },
	{ "towpath_peer_tunnel_tx_bytes_total", "counter",
	  "Bytes that WireGuard sent to the peer, its own headers included.", peer_device_tx,
	  false },
	{ "towpath_peer_rx_bytes_total", "counter", "Bytes of IP packets forwarded from the peer.",
	  peer_rx_bytes, false },
	{ "towpath_peer_tx_bytes_total", "counter", "Bytes of IP packets forwarded to the peer.",
	  peer_tx_bytes, false },
	{ "towpath_peer_rx_packets_total", "counter", "Packets forwarded from the peer.",
	  peer_rx_packets, false },
	{ "towpath_peer_tx_packets_total", "counter", "Packets forwarded to the peer.",
	  peer_tx_packets, false },
	{ "towpath_peer_drops_total", "counter", "Packets from or to the peer that were dropped.",
	  peer_drops, false },
};

/* stats has one row for each info row, in the same order; so for routes. */
static struct peer peer_at(const struct status *status, size_t i)
{
	const struct tp_peer_info *info = &status->have->peer_info.items[i].info;
	const struct state_peer *device = status_find_peer(status->have, info);

	return (struct peer){
		.info = info,
		.counter = &status->stats->peers.items[i].counter,
		.device = device,
		.up = !strcmp(status_peer_state(status, info), "up"),
	};
}

void metrics_print_peers(FILE *out, const struct status *status)
{
	size_t family, i;

	for (family = 0; family < ARRAY_SIZE(peer_families); family++) {
		metrics_family(out, peer_families[family].name, peer_families[family].type,
			       peer_families[family].help);
		for (i = 0; i < status->have->peer_info.count; i++) {
			const struct peer peer = peer_at(status, i);
			uint64_t value = peer_families[family].value(&peer);

			if (value || !peer_families[family].not_zero)
				metrics_sample(out, peer_families[family].name, value,
					       METRICS_LABELS({ "peer", peer.info->name }));
		}
	}
}

/* ---- routes ---- */

static void print_route_counter(FILE *out, const struct status *status, const char *name,
				const char *help, bool bytes)
{
	char text[PREFIX_TEXT_SIZE];
	size_t i;

	metrics_family(out, name, "counter", help);
	for (i = 0; i < status->have->route_info.count; i++) {
		const struct route_info_row *info = &status->have->route_info.items[i];
		const struct tp_counter *counter = &status->stats->routes.items[i].counter;

		metrics_sample(out, name, bytes ? counter->bytes : counter->packets,
			       METRICS_LABELS({ "route", prefix_put(text, &info->prefix) },
					      { "node", state_text(status->have, info->node) }));
	}
}

static void print_route_states(FILE *out, const struct status *status)
{
	static const char name[] = "towpath_route_state";
	char text[PREFIX_TEXT_SIZE];
	int state;
	size_t i;

	metrics_family(out, name, "gauge", "1 for the state that the route is in, 0 for others.");
	for (i = 0; i < status->have->route_info.count; i++) {
		const struct route_info_row *info = &status->have->route_info.items[i];
		const char *reason;
		uint8_t now = status_route_now(status, i, &reason);

		for (state = 0; state <= TP_ROUTE_DOWN; state++)
			metrics_sample(
				out, name, now == state,
				METRICS_LABELS({ "route", prefix_put(text, &info->prefix) },
					       { "node", state_text(status->have, info->node) },
					       { "state", status_route_state((uint8_t)state) }));
	}
}

void metrics_print_routes(FILE *out, const struct status *status)
{
	print_route_counter(out, status, "towpath_route_packets_total",
			    "Packets forwarded by the route.", false);
	print_route_counter(out, status, "towpath_route_bytes_total",
			    "Bytes of IP packets forwarded by the route.", true);
	print_route_states(out, status);
}

/* ---- rules ---- */

/* The rules of one grant stand side by side. */
static void print_rule_counter(FILE *out, const struct stats *stats, const char *name,
			       const char *help, bool bytes)
{
	size_t i = 0;

	metrics_family(out, name, "counter", help);
	while (i < stats->rules.count) {
		const struct stats_rule *first = &stats->rules.items[i];
		char grant[16];
		uint64_t sum = 0;

		for (; i < stats->rules.count && stats->rules.items[i].grant == first->grant; i++)
			sum += bytes ? stats->rules.items[i].counter.bytes
				     : stats->rules.items[i].counter.packets;
		snprintf(grant, sizeof(grant), "%" PRIu32, first->grant);
		metrics_sample(out, name, sum,
			       METRICS_LABELS({ "rule", grant },
					      { "action", first->deny ? "deny" : "accept" }));
	}
}

void metrics_print_rules(FILE *out, const struct status *status)
{
	print_rule_counter(out, status->stats, "towpath_rule_packets_total",
			   "Packets of the flows that this grant, an index in the policy, decided.",
			   false);
	print_rule_counter(out, status->stats, "towpath_rule_bytes_total",
			   "Bytes of these packets.", true);
}
