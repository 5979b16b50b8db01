// SPDX-License-Identifier: GPL-2.0-only
/* The status table for people. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "report/status.h"
#include "report/status_services.h"

/* 1536 -> "1.5 KiB"; buf of 16 bytes. */
static const char *put_bytes(char *buf, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, 16, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

/* "12 s ago"; buf of 32 bytes. */
static const char *put_ago(char *buf, int64_t now, int64_t then)
{
	if (!then)
		return "never";
	if (now < then)
		now = then;
	if (now - then < 120)
		snprintf(buf, 32, "%" PRId64 " s ago", now - then);
	else if (now - then < 7200)
		snprintf(buf, 32, "%" PRId64 " min ago", (now - then) / 60);
	else
		snprintf(buf, 32, "%" PRId64 " h ago", (now - then) / 3600);
	return buf;
}

/* Above all else: whoever looks only at the first line must not take this for a firewall. */
static void print_banner(FILE *out, const struct status *status)
{
	if (status->have->only_logs)
		fprintf(out,
			"*** THE POLICY IS NOT ENFORCED: \"enforce\" is \"log\", %llu packets "
			"that it refuses went through ***\n",
			status->stats->flows.would_refuse);
}

static void print_problems(FILE *out, char mark, const struct status_problems *problems)
{
	const struct status_problem *problem;

	array_for_each(problem, problems)
		fprintf(out, "  %c %s; mend: %s\n", mark, problem->what, problem->mend);
}

static void print_head(FILE *out, const struct status *status,
		       const struct status_problems *problems, const struct status_problems *notes)
{
	const struct state *have = status->have;
	char hash[2 * HASH_SIZE + 1], when[32];

	fprintf(out, "towpath %s, instance %s: %s\n", status->version, status->instance,
		problems->count ? "NOT HEALTHY" : "healthy");
	print_problems(out, '!', problems);
	print_problems(out, '-', notes);
	if (!have->exists)
		return;
	fprintf(out, "node    %s\n", have->node);
	fprintf(out, "policy  generation %" PRIu64 ", sha256 %.12s, applied %s\n", have->generation,
		hash_put(hash, have->policy_hash), put_ago(when, status->now, have->applied_at));
	if (status->running)
		fprintf(out, "daemon  pid %" PRIu32 ", started %s, watches %s\n",
			status->running->pid, put_ago(when, status->now, status->running->since),
			status->running->file);
	if (status_backend(&have->tunnel))
		fprintf(out, "tunnel  %s, %s WireGuard, port %u, mtu %u\n", have->tunnel.name,
			status_backend(&have->tunnel), have->tunnel.listen_port, have->tunnel.mtu);
	fprintf(out,
		"flows   %u of %u, %llu created, %llu expired, %llu refused, "
		"%llu evicted\n",
		status->stats->flows_current, have->limits.flows, status->stats->flows.created,
		status->stats->flows.expired, status->stats->flows.refused,
		status->stats->flows.evicted);
}

#define PEER_LINE "%-20s %-7s %-8s %-24s %-12s %10s %10s\n"

static void print_peer(FILE *out, const struct status *status, const char *name, const char *kind,
		       const char *state, const struct state_peer *peer)
{
	char endpoint[ENDPOINT_TEXT_SIZE] = "-", ago[32], rx[16], tx[16];

	if (peer && peer->endpoint.port)
		endpoint_put(endpoint, &peer->endpoint);
	fprintf(out, PEER_LINE, name, kind, state, endpoint,
		put_ago(ago, status->now, peer ? peer->latest_handshake : 0),
		put_bytes(rx, peer ? peer->rx_bytes : 0), put_bytes(tx, peer ? peer->tx_bytes : 0));
}

/* Who is reached through a hub has no handshakes and bytes of its own. */
static void print_member(FILE *out, const struct status *status, const struct tp_peer_info *info)
{
	const struct tp_peer_info *via = status_find_via(status->have, info);
	const char *kind = info->is_node ? "node" : "peer",
		   *state = status_peer_state(status, info);
	char where[TP_NAME_SIZE + 8];

	if (!via) {
		print_peer(out, status, info->name, kind, state,
			   status_find_peer(status->have, info));
		return;
	}
	snprintf(where, sizeof(where), "via %s", via->name);
	fprintf(out, PEER_LINE, info->name, kind, state, where, "-", "-", "-");
}

/* One that somebody else put on our device has no name, and is known by its key. */
static void print_peers(FILE *out, const struct status *status)
{
	const struct peer_info_row *row;
	const struct state_peer *peer;
	char key[KEY_TEXT_SIZE];

	fprintf(out, "\n" PEER_LINE, "PEER", "KIND", "STATE", "ENDPOINT", "HANDSHAKE", "RX", "TX");
	array_for_each(row, &status->have->peer_info)
		print_member(out, status, &row->info);
	array_for_each(peer, &status->have->tunnel.peers)
		if (!peer->ours)
			print_peer(out, status, key_put(key, &peer->public_key), "foreign",
				   status_session_state(status, peer), peer);
}

static void print_routes(FILE *out, const struct status *status)
{
	size_t i;

	fprintf(out, "\n%-24s %-16s %-10s %-16s %10s %10s  %s\n", "ROUTE", "NODE", "STATE", "SNAT",
		"PACKETS", "BYTES", "REASON");
	for (i = 0; i < status->have->route_info.count; i++) {
		const struct route_info_row *info = &status->have->route_info.items[i];
		const struct tp_counter *counter = &status->stats->routes.items[i].counter;
		char text[PREFIX_TEXT_SIZE], snat[ADDR_TEXT_SIZE], bytes[16];
		const char *reason;
		uint8_t state = status_route_now(status, i, &reason);

		fprintf(out, "%-24s %-16s %-10s %-16s %10llu %10s  %s\n",
			prefix_put(text, &info->prefix), state_text(status->have, info->node),
			status_route_state(state), status_snat(snat, info), counter->packets,
			put_bytes(bytes, counter->bytes), reason);
	}
}

/* "tcx", "clsact" or "xdp native"; buf of 16 bytes. */
static const char *put_hook(char *buf, const struct state_attachment *attachment)
{
	if (attachment->hook != HOOK_XDP_LAN)
		return attachment->tcx ? "tcx" : "clsact";
	snprintf(buf, 16, "xdp %s", state_xdp_name(attachment->xdp));
	return buf;
}

static void print_attachments(FILE *out, const struct state *have)
{
	static const char *const where[STATE_HOOKS] = { [HOOK_TC_TUNNEL] = "ingress, tunnel",
							[HOOK_TC_LAN] = "ingress, LAN",
							[HOOK_TC_EGRESS] = "egress",
							[HOOK_XDP_LAN] = "ingress, LAN" };
	const struct state_attachment *attachment;
	char hook[16];

	fprintf(out, "\n%-16s %-16s %-8s\n", "DEVICE", "PROGRAM ON", "HOOK");
	array_for_each(attachment, &have->attachments)
		fprintf(out, "%-16s %-16s %-8s\n", attachment->device, where[attachment->hook],
			put_hook(hook, attachment));
}

/* Only what happened: most reasons never do. */
static void print_reasons(FILE *out, const struct stats *stats)
{
	static const struct {
		const char *name, *verdict, *text;
	} reasons[TP_REASON_COUNT] = {
#define REASON_ROW(name, verdict, text) [TP_R_##name] = { #name, #verdict, text },
		TP_REASONS(REASON_ROW)
#undef REASON_ROW
	};
	size_t i;

	fprintf(out, "\n%-16s %-8s %12s  %s\n", "REASON", "VERDICT", "PACKETS", "MEANING");
	for (i = 0; i < TP_REASON_COUNT; i++)
		if (stats->reasons[i])
			fprintf(out, "%-16s %-8s %12" PRIu64 "  %s\n", reasons[i].name,
				reasons[i].verdict, stats->reasons[i], reasons[i].text);
}

static void print_tables(FILE *out, const struct status *status)
{
	print_peers(out, status);
	print_routes(out, status);
	print_attachments(out, status->have);
	status_print_services(out, &status->have->socket_lb);
	print_reasons(out, status->stats);
}

int status_print_text(FILE *out, const struct status *status)
{
	struct status_problems problems = {}, notes = {};
	int r = status_find_problems(status, &problems);

	if (!r)
		r = status_find_notes(status, &notes);
	if (!r) {
		print_banner(out, status);
		print_head(out, status, &problems, &notes);
		if (status->have->exists)
			print_tables(out, status);
		r = fflush(out) || ferror(out) ? -EIO : 0;
	}
	array_clear(&problems);
	array_clear(&notes);
	return r;
}
