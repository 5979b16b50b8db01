// SPDX-License-Identifier: GPL-2.0-only
#include "report/trace.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "report/json_out.h"

static const struct {
	const char *name, *meaning;
} reasons[] = {
#define REASON_ROW(name, verdict, text) [TP_R_##name] = { #name, text },
	TP_REASONS(REASON_ROW)
#undef REASON_ROW
};

static const char *verdict_name(const struct trace *trace)
{
	static const char *const names[] = {
		[TP_STACK] = "stack", [TP_FORWARD] = "forward", [TP_DROP] = "drop"
	};

	return names[trace_verdict(trace)];
}

/* The kernel's stack carries what the programs leave to it; all else they do themselves. */
static const char *path_name(const struct trace *trace)
{
	return trace_verdict(trace) == TP_STACK ? "slow" : "fast";
}

static const char *flow_name(const struct trace *trace)
{
	static const char *const names[] = {
		[TRACE_FLOW_NONE] = NULL, [TRACE_FLOW_NEW] = "new", [TRACE_FLOW_KNOWN] = "known"
	};

	return names[trace->flow];
}

static const char *route_text(char *buf, const struct trace *trace)
{
	struct prefix prefix = { .len = (uint8_t)trace->route.prefix_len };

	memcpy(&prefix.addr, &trace->route.addr, sizeof(prefix.addr));
	return prefix_put(buf, &prefix);
}

#define MAC_TEXT_SIZE 18

static const char *mac_text(char *buf, const uint8_t mac[6])
{
	snprintf(buf, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return buf;
}

/* ---- text --------------------------------------------------------------------------------- */

/* The endpoint that the packet comes from; no port where there is none. */
static const char *source_text(char *buf, const struct trace *trace)
{
	const struct trace_request *request = &trace->request;
	struct endpoint from = { .addr = request->packet.src, .port = request->sport };

	if (decide_has_ports(request->packet.proto))
		return endpoint_put(buf, &from);
	return addr_put(buf, &request->packet.src);
}

static void print_way(FILE *out, const struct trace *trace)
{
	switch (trace->way) {
	case TRACE_FROM_TUNNEL:
	case TRACE_FROM_LAN: fprintf(out, "enters by  %s\n", trace->in); break;
	case TRACE_OWN: fprintf(out, "sent by    a socket of this machine\n"); break;
	case TRACE_FOREIGN:
		fprintf(out, "enters by  %s, which is not ours: judged on its way out\n",
			trace->in);
		break;
	case TRACE_UNSEEN: fprintf(out, "meets no program of ours\n"); break;
	}
}

static void print_service(FILE *out, const struct trace *trace)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (!trace->service[0])
		return;
	fprintf(out, "service    %s", trace->service);
	if (!addr_is_zero(&trace->backend.addr))
		fprintf(out, ", backend %s", endpoint_put(text, &trace->backend));
	fputc('\n', out);
}

static void print_judgement(FILE *out, const struct trace *trace)
{
	char route[PREFIX_TEXT_SIZE];

	if (trace->flow)
		fprintf(out, "flow       %s\n", flow_name(trace));
	if (trace->peer[0])
		fprintf(out, "peer       %s\n", trace->peer);
	fprintf(out, "classes    source %u, destination %u, port %u\n", trace->src_class,
		trace->dst_class, trace->port_class);
	if (trace->granted)
		fprintf(out, "grant      $.grants[%u] %s\n", trace->grant.grant, trace->grant.text);
	else if (trace->reason == TP_R_acl || trace->logged)
		fprintf(out, "grant      none\n");
	if (trace->logged)
		fprintf(out,
			"           NOT ENFORCED: with \"enforce\": \"on\" it would be dropped\n");
	if (trace->route_known)
		fprintf(out, "route      %s\n", route_text(route, trace));
	print_service(out, trace);
}

static void print_exit(FILE *out, const struct trace *trace)
{
	char text[ENDPOINT_TEXT_SIZE], mac[MAC_TEXT_SIZE];

	if (trace->snat)
		fprintf(out, "SNAT       to %s\n", endpoint_put(text, &trace->snat_to));
	if (trace->out[0]) {
		fprintf(out, "next hop   %s", trace->out);
		if (!addr_is_zero(&trace->next_hop))
			fprintf(out, " %s", addr_put(text, &trace->next_hop));
		if (!addr_is_zero(&trace->next_hop))
			fprintf(out, " at %s",
				trace->mac_known ? mac_text(mac, trace->mac)
						 : "an address still to be resolved");
		fprintf(out, "\nMTU        %u\n", trace->mtu);
	}
	if (trace->mss)
		fprintf(out, "MSS        %u\n", trace->mss);
	if (trace->ttl)
		fprintf(out, "TTL        %u\n", trace->ttl);
	if (trace->full)
		fprintf(out, "note       the flow table is full: new flows are refused at times\n");
}

int trace_print_text(FILE *out, const struct trace *trace)
{
	char packet[DECIDE_PACKET_TEXT_SIZE], source[ENDPOINT_TEXT_SIZE];

	fprintf(out, "packet     %s (from %s)\n", decide_packet_put(packet, &trace->request.packet),
		source_text(source, trace));
	print_way(out, trace);
	if (trace->way != TRACE_UNSEEN)
		print_judgement(out, trace);
	print_exit(out, trace);
	fprintf(out, "verdict    %s, %s path: %s (%s)\n", verdict_name(trace), path_name(trace),
		reasons[trace->reason].meaning, reasons[trace->reason].name);
	return ferror(out) ? -EIO : 0;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void add_text(cJSON *root, const char *key, const char *text)
{
	if (text && *text)
		cJSON_AddStringToObject(root, key, text);
	else
		cJSON_AddNullToObject(root, key);
}

static void add_grant(cJSON *root, const struct trace *trace)
{
	cJSON *grant;

	if (!trace->granted) {
		cJSON_AddNullToObject(root, "grant");
		return;
	}
	grant = cJSON_AddObjectToObject(root, "grant");
	json_out_number(grant, "index", trace->grant.grant);
	cJSON_AddStringToObject(grant, "text", trace->grant.text);
}

static void add_endpoint(cJSON *root, const char *key, const struct endpoint *endpoint)
{
	cJSON *item = cJSON_AddObjectToObject(root, key);
	char addr[ADDR_TEXT_SIZE];

	cJSON_AddStringToObject(item, "address", addr_put(addr, &endpoint->addr));
	json_out_number(item, "port", endpoint->port);
}

static void add_backend(cJSON *root, const struct trace *trace)
{
	if (addr_is_zero(&trace->backend.addr))
		cJSON_AddNullToObject(root, "backend");
	else
		add_endpoint(root, "backend", &trace->backend);
}

static void add_snat(cJSON *root, const struct trace *trace)
{
	if (!trace->snat)
		cJSON_AddNullToObject(root, "snat");
	else
		add_endpoint(root, "snat", &trace->snat_to);
}

static void add_next_hop(cJSON *root, const struct trace *trace)
{
	char addr[ADDR_TEXT_SIZE], mac[MAC_TEXT_SIZE];
	cJSON *hop;

	if (!trace->out[0]) {
		cJSON_AddNullToObject(root, "next_hop");
		return;
	}
	hop = cJSON_AddObjectToObject(root, "next_hop");
	cJSON_AddStringToObject(hop, "device", trace->out);
	add_text(hop, "address",
		 addr_is_zero(&trace->next_hop) ? NULL : addr_put(addr, &trace->next_hop));
	add_text(hop, "mac", trace->mac_known ? mac_text(mac, trace->mac) : NULL);
}

static void add_number(cJSON *root, const char *key, uint64_t value)
{
	if (value)
		json_out_number(root, key, value);
	else
		cJSON_AddNullToObject(root, key);
}

static void add_classes(cJSON *root, const struct trace *trace)
{
	cJSON *classes = cJSON_AddObjectToObject(root, "classes");

	json_out_number(classes, "src", trace->src_class);
	json_out_number(classes, "dst", trace->dst_class);
	json_out_number(classes, "port", trace->port_class);
}

int trace_print_json(FILE *out, const struct trace *trace)
{
	char packet[DECIDE_PACKET_TEXT_SIZE], route[PREFIX_TEXT_SIZE];
	cJSON *root = cJSON_CreateObject();
	int r;

	cJSON_AddStringToObject(root, "packet", decide_packet_put(packet, &trace->request.packet));
	add_text(root, "in", trace->in);
	cJSON_AddStringToObject(root, "verdict", verdict_name(trace));
	cJSON_AddStringToObject(root, "reason", reasons[trace->reason].name);
	cJSON_AddStringToObject(root, "path", path_name(trace));
	add_text(root, "flow", flow_name(trace));
	add_text(root, "peer", trace->peer);
	add_text(root, "route", trace->route_known ? route_text(route, trace) : NULL);
	add_classes(root, trace);
	add_grant(root, trace);
	cJSON_AddBoolToObject(root, "enforced", !trace->logged);
	add_text(root, "service", trace->service);
	add_backend(root, trace);
	add_snat(root, trace);
	add_next_hop(root, trace);
	add_number(root, "ttl", trace->ttl);
	add_number(root, "mtu", trace->mtu);
	add_number(root, "mss", trace->mss);
	r = json_out_print(out, root);
	cJSON_Delete(root);
	return r;
}
