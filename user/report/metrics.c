// SPDX-License-Identifier: GPL-2.0-only
#include "report/metrics.h"

#include <errno.h>

#include "report/metrics_out.h"
#include "report/metrics_parts.h"

static void print_one(FILE *out, const char *name, const char *type, const char *help,
		      uint64_t value)
{
	metrics_family(out, name, type, help);
	metrics_sample(out, name, value, NULL);
}

static void print_reloads(FILE *out, const struct running *running)
{
	static const char name[] = "towpath_reloads_total";
	int result;

	metrics_family(out, name, "counter", "Times the policy file was read, by what came of it.");
	for (result = 0; result < RUNNING_RESULTS; result++)
		metrics_sample(out, name, running->reloads[result],
			       METRICS_LABELS({ "result", running_result_name(result) }));
}

static void print_repairs(FILE *out, const struct running *running)
{
	static const char name[] = "towpath_repairs_total";
	int object;

	metrics_family(
		out, name, "counter",
		"Steps done because the kernel's state had changed, by what they were about.");
	for (object = 0; object < RUNNING_OBJECTS; object++)
		metrics_sample(out, name, running->repairs[object],
			       METRICS_LABELS({ "object", running_object_name(object) }));
}

static void print_daemon(FILE *out, const struct metrics *metrics)
{
	const struct running *running = metrics->running;
	char abi[16];

	snprintf(abi, sizeof(abi), "%d", TP_ABI);
	metrics_family(out, "towpath_build_info", "gauge",
		       "Version of the daemon and ABI number of its maps; always 1.");
	metrics_sample(out, "towpath_build_info", 1,
		       METRICS_LABELS({ "version", metrics->version }, { "abi", abi }));
	print_one(out, "towpath_start_timestamp_seconds", "gauge",
		  "When the daemon started, in seconds since the epoch.", (uint64_t)running->since);
	print_one(out, "towpath_ready", "gauge",
		  "1 while the data path is attached, the tunnel up and a policy live.",
		  metrics->ready);
	print_one(out, "towpath_policy_rejected", "gauge",
		  "1 while the policy file is refused and an earlier one in force.",
		  running->rejected_at != 0);
	print_reloads(out, running);
	print_repairs(out, running);
}

static void print_policy(FILE *out, const struct state *have)
{
	metrics_family(out, "towpath_node_info", "gauge",
		       "Which node of the policy this machine is; always 1.");
	metrics_sample(out, "towpath_node_info", 1, METRICS_LABELS({ "node", have->node }));
	print_one(out, "towpath_policy_generation", "gauge",
		  "Number of the policy that is live in the kernel; 0: none.", have->generation);
	print_one(out, "towpath_policy_loaded_timestamp_seconds", "gauge",
		  "When a policy was last put in force, in seconds since the epoch.",
		  (uint64_t)have->applied_at);
	print_one(out, "towpath_policy_enforced", "gauge",
		  "0 while what the grants refuse is only counted.", !have->only_logs);
}

static void print_tunnel(FILE *out, const struct state_tunnel *tunnel)
{
	metrics_family(out, "towpath_tunnel_up", "gauge",
		       "1 while the tunnel device exists and is up.");
	metrics_sample(out, "towpath_tunnel_up", tunnel->exists && tunnel->up,
		       METRICS_LABELS({ "device", tunnel->name }));
}

static void print_attachments(FILE *out, const struct state *have)
{
	const struct state_attachment *attachment;

	metrics_family(out, "towpath_attached", "gauge",
		       "1 for each program that is attached, to a device or a cgroup.");
	array_for_each(attachment, &have->attachments)
		metrics_sample(out, "towpath_attached", 1,
			       METRICS_LABELS({ "device", attachment->device },
					      { "program", state_program_name(attachment->hook) }));
	metrics_print_sockets(out, &have->socket_lb);
}

static void print_flows(FILE *out, const struct status *status)
{
	const struct stats *stats = status->stats;

	print_one(out, "towpath_flows", "gauge", "Flows in the table.", stats->flows_current);
	print_one(out, "towpath_flows_limit", "gauge", "Flows that the table has room for.",
		  status->have->limits.flows);
	print_one(out, "towpath_flows_created_total", "counter", "Flows that began.",
		  stats->flows.created);
	print_one(out, "towpath_flows_expired_total", "counter", "Flows that ended or timed out.",
		  stats->flows.expired);
	print_one(out, "towpath_flows_refused_total", "counter",
		  "Flows that found the table or the SNAT ports full.", stats->flows.refused);
	print_one(out, "towpath_flows_evicted_total", "counter",
		  "Unanswered flows that made room for others.", stats->flows.evicted);
	print_one(out, "towpath_would_refuse_packets_total", "counter",
		  "Packets that went on because the policy is not enforced.",
		  stats->flows.would_refuse);
}

#define VERDICTS "towpath_verdicts_total"

static void print_verdict(FILE *out, const char *reason, enum tp_verdict verdict, uint64_t packets)
{
	static const char *const names[] = {
		[TP_STACK] = "stack", [TP_FORWARD] = "forward", [TP_DROP] = "drop"
	};

	metrics_sample(out, VERDICTS, packets,
		       METRICS_LABELS({ "verdict", names[verdict] }, { "reason", reason }));
}

static void print_verdicts(FILE *out, const struct stats *stats)
{
	metrics_family(out, VERDICTS, "counter",
		       "Packets by what became of them and why; docs/counters.md has the reasons.");
#define PRINT_REASON(name, verdict, text) \
	if (TP_R_##name != TP_R_none)     \
		print_verdict(out, #name, TP_##verdict, stats->reasons[TP_R_##name]);
	TP_REASONS(PRINT_REASON)
#undef PRINT_REASON
}

int metrics_print(FILE *out, const struct metrics *metrics)
{
	const struct status *status = metrics->status;

	print_daemon(out, metrics);
	if (status) {
		print_policy(out, status->have);
		print_tunnel(out, &status->have->tunnel);
		print_attachments(out, status->have);
		print_flows(out, status);
		print_verdicts(out, status->stats);
		metrics_print_peers(out, status);
		metrics_print_routes(out, status);
		metrics_print_rules(out, status);
		metrics_print_services(out, status);
		metrics_print_local_vips(out, status);
	}
	return fflush(out) || ferror(out) ? -EIO : 0;
}
