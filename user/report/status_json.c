// SPDX-License-Identifier: GPL-2.0-only
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time_text.h"
#include "report/json_out.h"
#include "report/status.h"
#include "report/status_services.h"

static void add_rejected(cJSON *policy, const struct running *running)
{
	const struct problem *error;
	cJSON *rejected, *errors;
	char when[TIME_TEXT_SIZE];

	if (!running || !running->rejected_at) {
		cJSON_AddNullToObject(policy, "rejected");
		return;
	}
	rejected = cJSON_AddObjectToObject(policy, "rejected");
	cJSON_AddStringToObject(rejected, "at", time_put(when, running->rejected_at));
	errors = cJSON_AddArrayToObject(rejected, "errors");
	array_for_each(error, &running->errors) {
		cJSON *item = json_out_item(errors);

		cJSON_AddStringToObject(item, "place", error->place);
		cJSON_AddStringToObject(item, "message", error->message);
	}
	json_out_number(rejected, "errors_left_out", running->errors_left_out);
}

static void add_daemon(cJSON *root, const struct running *running)
{
	cJSON *daemon;
	char when[TIME_TEXT_SIZE];

	if (!running) {
		cJSON_AddNullToObject(root, "daemon");
		return;
	}
	daemon = cJSON_AddObjectToObject(root, "daemon");
	json_out_number(daemon, "pid", running->pid);
	cJSON_AddStringToObject(daemon, "since", time_put(when, running->since));
	cJSON_AddStringToObject(daemon, "file", running->file);
}

static void add_problems(cJSON *root, const char *key, const struct status_problems *problems)
{
	cJSON *array = cJSON_AddArrayToObject(root, key);
	const struct status_problem *problem;

	array_for_each(problem, problems) {
		cJSON *item = json_out_item(array);

		cJSON_AddStringToObject(item, "what", problem->what);
		cJSON_AddStringToObject(item, "mend", problem->mend);
	}
}

static void add_policy(cJSON *root, const struct state *have, const struct running *running)
{
	cJSON *policy = cJSON_AddObjectToObject(root, "policy");
	char hash[2 * HASH_SIZE + 1], when[TIME_TEXT_SIZE];

	json_out_number(policy, "generation", have->generation);
	cJSON_AddStringToObject(policy, "enforce", have->only_logs ? "log" : "on");
	cJSON_AddStringToObject(policy, "sha256", hash_put(hash, have->policy_hash));
	cJSON_AddStringToObject(policy, "loaded_at", time_put(when, have->applied_at));
	add_rejected(policy, running);
}

static void add_tunnel(cJSON *root, const struct state_tunnel *tunnel)
{
	cJSON *object = cJSON_AddObjectToObject(root, "tunnel");
	const char *backend = status_backend(tunnel);
	char text[KEY_TEXT_SIZE];
	struct key public_key;

	cJSON_AddStringToObject(object, "interface", tunnel->name);
	if (backend)
		cJSON_AddStringToObject(object, "backend", backend);
	else
		cJSON_AddNullToObject(object, "backend");
	if (!tunnel->exists || key_is_zero(&tunnel->private_key)) {
		cJSON_AddNullToObject(object, "public_key");
	} else {
		key_derive_public(&tunnel->private_key, &public_key);
		cJSON_AddStringToObject(object, "public_key", key_put(text, &public_key));
	}
	json_out_number(object, "listen_port", tunnel->listen_port);
	json_out_number(object, "mtu", tunnel->mtu);
}

static void add_addresses(cJSON *item, const struct stats *stats, uint32_t peer)
{
	cJSON *array = cJSON_AddArrayToObject(item, "addresses");
	const struct stats_address *address;
	char text[ADDR_TEXT_SIZE];
	size_t i, count;

	address = status_find_addresses(stats, peer, &count);
	for (i = 0; i < count; i++)
		json_out_string_item(array, addr_put(text, &address[i].addr));
}

static void add_allowed_ips(cJSON *item, const struct state_peer *peer)
{
	cJSON *array = cJSON_AddArrayToObject(item, "allowed_ips");
	const struct prefix *prefix;
	char text[PREFIX_TEXT_SIZE];

	array_for_each(prefix, &peer->allowed_ips)
		json_out_string_item(array, prefix_put(text, prefix));
}

/* What WireGuard says of it; of one that is not there, what is true of none. */
static void add_wireguard(cJSON *item, const struct state_peer *peer)
{
	static const struct state_peer none;
	char endpoint[ENDPOINT_TEXT_SIZE], when[TIME_TEXT_SIZE];

	peer = peer ? peer : &none;
	if (peer->endpoint.port)
		cJSON_AddStringToObject(item, "endpoint", endpoint_put(endpoint, &peer->endpoint));
	else
		cJSON_AddNullToObject(item, "endpoint");
	add_allowed_ips(item, peer);
	cJSON_AddBoolToObject(item, "preshared_key", !key_is_zero(&peer->preshared_key));
	json_out_number(item, "persistent_keepalive", peer->keepalive);
	json_out_time(item, "latest_handshake", time_put(when, peer->latest_handshake));
	json_out_number(item, "rx_bytes", peer->rx_bytes);
	json_out_number(item, "tx_bytes", peer->tx_bytes);
}

static void add_identity(cJSON *item, const char *name, const char *kind, const uint8_t *key)
{
	char text[KEY_TEXT_SIZE];
	struct key public_key;

	memcpy(public_key.bytes, key, KEY_SIZE);
	cJSON_AddStringToObject(item, "name", name);
	cJSON_AddStringToObject(item, "kind", kind);
	cJSON_AddStringToObject(item, "public_key", key_put(text, &public_key));
}

static void add_via(cJSON *item, const struct tp_peer_info *via)
{
	if (via)
		cJSON_AddStringToObject(item, "via", via->name);
	else
		cJSON_AddNullToObject(item, "via");
}

static void add_peer(cJSON *array, const struct status *status, const struct peer_info_row *row)
{
	const struct tp_peer_info *info = &row->info;
	cJSON *item = json_out_item(array);
	char when[TIME_TEXT_SIZE];

	add_identity(item, info->name, info->is_node ? "node" : "peer", info->public_key);
	add_via(item, status_find_via(status->have, info));
	add_addresses(item, status->stats, row->id);
	add_wireguard(item, status_find_peer(status->have, info));
	json_out_time(item, "key_expiry", time_put(when, (int64_t)info->key_expiry));
	cJSON_AddStringToObject(item, "state", status_peer_state(status, info));
}

/* Somebody else put it on our device. */
static void add_foreign(cJSON *array, const struct status *status, const struct state_peer *peer)
{
	cJSON *item = json_out_item(array);

	add_identity(item, "", "foreign", peer->public_key.bytes);
	add_via(item, NULL);
	cJSON_AddArrayToObject(item, "addresses");
	add_wireguard(item, peer);
	cJSON_AddNullToObject(item, "key_expiry");
	cJSON_AddStringToObject(item, "state", status_session_state(status, peer));
}

static void add_peers(cJSON *root, const struct status *status)
{
	cJSON *array = cJSON_AddArrayToObject(root, "peers");
	const struct peer_info_row *row;
	const struct state_peer *peer;

	array_for_each(row, &status->have->peer_info)
		add_peer(array, status, row);
	array_for_each(peer, &status->have->tunnel.peers)
		if (!peer->ours)
			add_foreign(array, status, peer);
}

/* stats has one row for each info row, in the same order */
static void add_route(cJSON *array, const struct status *status, size_t row)
{
	const struct route_info_row *info = &status->have->route_info.items[row];
	const struct tp_counter *counter = &status->stats->routes.items[row].counter;
	char text[PREFIX_TEXT_SIZE], snat[ADDR_TEXT_SIZE];
	cJSON *item = json_out_item(array);
	const char *reason;
	uint8_t state = status_route_now(status, row, &reason);

	cJSON_AddStringToObject(item, "prefix", prefix_put(text, &info->prefix));
	cJSON_AddStringToObject(item, "node", state_text(status->have, info->node));
	cJSON_AddBoolToObject(item, "advertised", true);
	cJSON_AddBoolToObject(item, "approved", info->approved);
	cJSON_AddStringToObject(item, "state", status_route_state(state));
	cJSON_AddStringToObject(item, "reason", reason);
	cJSON_AddStringToObject(item, "snat", status_snat(snat, info));
	json_out_number(item, "packets", counter->packets);
	json_out_number(item, "bytes", counter->bytes);
}

static void add_routes(cJSON *root, const struct status *status)
{
	cJSON *array = cJSON_AddArrayToObject(root, "routes");
	size_t i;

	for (i = 0; i < status->have->route_info.count; i++)
		add_route(array, status, i);
}

static const char *attachment_mode(const struct state_attachment *attachment)
{
	if (attachment->hook == HOOK_XDP_LAN)
		return state_xdp_name(attachment->xdp);
	return attachment->hook == HOOK_TC_EGRESS ? "egress" : "ingress";
}

static const char *attachment_hook(const struct state_attachment *attachment)
{
	if (attachment->hook == HOOK_XDP_LAN)
		return "xdp";
	return attachment->tcx ? "tcx" : "tc";
}

static void add_attachments(cJSON *root, const struct state *have)
{
	cJSON *array = cJSON_AddArrayToObject(root, "attachments");
	const struct state_attachment *attachment;

	array_for_each(attachment, &have->attachments) {
		cJSON *item = json_out_item(array);

		cJSON_AddStringToObject(item, "hook", attachment_hook(attachment));
		cJSON_AddStringToObject(item, "device", attachment->device);
		cJSON_AddStringToObject(item, "program", state_program_name(attachment->hook));
		cJSON_AddStringToObject(item, "mode", attachment_mode(attachment));
		if (attachment->link_id)
			json_out_number(item, "link_id", attachment->link_id);
		else
			cJSON_AddNullToObject(item, "link_id");
	}
	status_add_socket_links(array, &have->socket_lb);
}

static void add_flows(cJSON *root, const struct status *status)
{
	cJSON *flows = cJSON_AddObjectToObject(root, "flows");

	json_out_number(flows, "current", status->stats->flows_current);
	json_out_number(flows, "limit", status->have->limits.flows);
	json_out_number(flows, "created", status->stats->flows.created);
	json_out_number(flows, "expired", status->stats->flows.expired);
	json_out_number(flows, "refused", status->stats->flows.refused);
	json_out_number(flows, "evicted", status->stats->flows.evicted);
	json_out_number(flows, "would_refuse", status->stats->flows.would_refuse);
}

static void add_drops(cJSON *root, const struct stats *stats)
{
	cJSON *drops = cJSON_AddObjectToObject(root, "drops");

#define ADD_DROP(name, verdict, text) \
	if (TP_##verdict == TP_DROP)  \
		json_out_number(drops, #name, stats->reasons[TP_R_##name]);
	TP_REASONS(ADD_DROP)
#undef ADD_DROP
}

int status_print_json(FILE *out, const struct status *status)
{
	struct status_problems problems = {}, notes = {};
	cJSON *root = cJSON_CreateObject();
	int r = status_find_problems(status, &problems);

	if (!r)
		r = status_find_notes(status, &notes);
	if (!r) {
		cJSON_AddStringToObject(root, "version", status->version);
		cJSON_AddStringToObject(root, "instance", status->instance);
		cJSON_AddStringToObject(root, "node", status->have->node);
		cJSON_AddBoolToObject(root, "healthy", !problems.count);
		add_problems(root, "problems", &problems);
		add_problems(root, "notes", &notes);
		add_policy(root, status->have, status->running);
		add_daemon(root, status->running);
		add_tunnel(root, &status->have->tunnel);
		add_peers(root, status);
		add_routes(root, status);
		add_attachments(root, status->have);
		add_flows(root, status);
		status_add_exempt(root, &status->have->socket_lb);
		status_add_services(root, &status->have->socket_lb);
		add_drops(root, status->stats);
		r = json_out_print(out, root);
	}
	array_clear(&problems);
	array_clear(&notes);
	cJSON_Delete(root);
	return r;
}
