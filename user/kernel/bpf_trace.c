// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_trace.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_flow.h"
#include "kernel/bpf_live.h"
#include "kernel/bpf_sandbox.h"
#include "kernel/frame.h"
#include "kernel/trace_place.h"
#include "kernel/trace_service.h"

#define OUT_SIZE 512 /* the frame, or the ICMP error that it was turned into */

/* One packet on its way. */
struct run {
	const struct bpf *bpf;
	const struct state *have;
	struct trace_place place;
	struct tp_flow_key key; /* as it enters */
	struct frame frame;
	uint8_t out[OUT_SIZE];
	size_t out_size;
	struct tp_flow_state flow;
	bool has_flow;
};

static bool is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static void set_key(struct run *run, const struct trace_request *request)
{
	const struct decide_packet *packet = &request->packet;
	struct tp_flow_key *key = &run->key;

	memcpy(&key->src, &packet->src, sizeof(key->src));
	memcpy(&key->dst, &packet->dst, sizeof(key->dst));
	key->proto = packet->proto;
	key->side = run->place.on_tunnel ? TP_SIDE_TUNNEL : TP_SIDE_LAN;
	if (decide_has_ports(packet->proto) || is_icmp(packet->proto)) {
		key->sport = htons(request->sport);
		key->dport = is_icmp(packet->proto) ? key->sport : htons(packet->port);
	}
}

/* Flows are kept by what enters: on its way out a packet is known by the key of its answers. */
static struct tp_flow_key entering_key(const struct run *run)
{
	struct tp_flow_key key = run->key;

	if (run->place.hook != HOOK_TC_EGRESS)
		return key;
	key.src = run->key.dst;
	key.dst = run->key.src;
	key.sport = run->key.dport;
	key.dport = run->key.sport;
	key.answer = is_icmp(key.proto);
	return key;
}

/* known: the flow is there, and what goes on in it is no SYN. */
static void set_frame(struct run *run, const struct trace_request *request, bool known)
{
	struct frame *frame = &run->frame;

	frame->packet = request->packet;
	frame->sport = request->sport;
	frame->ttl = FRAME_TTL;
	frame->tcp_flags = known ? TH_ACK : TH_SYN;
	if (!known)
		frame->mss = addr_is_v4(&request->packet.src) ? TRACE_MSS_V4 : TRACE_MSS_V6;
	memcpy(frame->dmac, run->place.mac, sizeof(frame->dmac));
}

/* cb: in and out, the control buffer. 0 or a negative errno. */
static int fire(struct run *run, int program, uint32_t ifindex, uint32_t cb[5])
{
	struct __sk_buff context = { .ifindex = ifindex, .ingress_ifindex = run->place.ingress };
	uint8_t bytes[FRAME_SIZE_MAX];
	size_t size = frame_put(bytes, &run->frame);
	size_t skip = ifindex && run->place.on_tunnel ? ETH_HLEN : 0; /* it has no link header */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes + skip,
		    .data_size_in = (uint32_t)(size - skip), .data_out = run->out,
		    .data_size_out = sizeof(run->out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context), .repeat = 1);

	memcpy(context.cb, cb, sizeof(context.cb));
	if (bpf_prog_test_run_opts(program, &opts))
		return -errno;
	memcpy(cb, context.cb, sizeof(context.cb));
	run->out_size = opts.data_size_out;
	return 0;
}

/* ---- what the tables say ------------------------------------------------------------------ */

static uint32_t class_of(const struct run *run, enum bpf_table table, const void *key)
{
	AUTO_CLOSE int fd = bpf_table_open(run->bpf, table, run->have->generation);
	uint32_t class_id;

	if (fd < 0 || bpf_map_lookup_elem(fd, key, &class_id))
		return TP_CLASS_NONE; /* named by no rule */
	return class_id;
}

static void set_classes(const struct run *run, struct trace *out)
{
	struct tp_prefix src = { .prefix_len = 128, .addr = run->key.src };
	struct tp_prefix dst = { .prefix_len = 128, .addr = run->key.dst };
	struct tp_port_key port = { .prefix_len = 32, .proto = run->key.proto };

	if (!is_icmp(run->key.proto))
		port.port = run->key.dport;
	out->src_class = class_of(run, TABLE_SRC, &src);
	out->dst_class = class_of(run, TABLE_DST, &dst);
	out->port_class = class_of(run, TABLE_PORTS, &port);
}

static void set_grant(const struct run *run, uint32_t rule, struct trace *out)
{
	AUTO_CLOSE int fd = bpf_table_open(run->bpf, TABLE_RULE_INFO, run->have->generation);

	out->granted =
		fd >= 0 && rule < TP_RULE_MAX && !bpf_map_lookup_elem(fd, &rule, &out->grant);
}

/* Which rule decides, by the grants alone. */
static int judge(struct run *run, const struct sandbox *sandbox, uint32_t *rule, struct err *err)
{
	uint64_t generation = run->have->generation;
	uint32_t cb[5] = { (uint32_t)generation, (uint32_t)(generation >> 32) };
	int r = fire(run, sandbox_judge_fd(sandbox), 0, cb);

	if (r)
		return err_sys(err, r, "put a packet through the programs");
	*rule = cb[2];
	return 0;
}

/* ---- names -------------------------------------------------------------------------------- */

static void set_peer(const struct run *run, uint32_t id, struct trace *out)
{
	const struct peer_info_row *row;

	array_for_each(row, &run->have->peer_info)
		if (id && row->id == id)
			memcpy(out->peer, row->info.name, sizeof(out->peer));
}

static void set_route(const struct run *run, uint32_t id, struct trace *out)
{
	const struct route_info_row *row;

	array_for_each(row, &run->have->route_info) {
		if (!id || row->id != id)
			continue;
		out->route.prefix_len = row->prefix.len;
		memcpy(&out->route.addr, &row->prefix.addr, sizeof(out->route.addr));
		out->route_known = true;
	}
}

/* Of a packet that got no flow: whose its ends are. */
static void name_ends(const struct run *run, struct trace *out)
{
	struct tp_route src = {}, dst = {};

	bpf_live_route(run->bpf, run->have->generation, &run->key.src, &src);
	bpf_live_route(run->bpf, run->have->generation, &run->key.dst, &dst);
	set_peer(run, src.peer ? src.peer : dst.peer, out);
	set_route(run, dst.id, out);
	trace_name_service(run->have, &run->key, out);
}

static void name_flow(const struct run *run, struct trace *out)
{
	const struct tp_flow_state *flow = &run->flow;

	set_peer(run, flow->peer[TP_OPENER] ? flow->peer[TP_OPENER] : flow->peer[TP_ANSWERER], out);
	set_route(run, flow->route, out);
	trace_name_backend(run->have, flow, out);
	out->logged = flow->rule == TP_RULE_LOGGED;
	set_grant(run, flow->rule, out);
}

/* ---- where it goes ------------------------------------------------------------------------ */

/* What becomes of the packets of this direction; NULL: no program of ours carries them. */
static const struct tp_flow *way_of(const struct run *run)
{
	size_t end;

	if (!run->has_flow)
		return NULL;
	for (end = 0; end < ARRAY_SIZE(run->flow.way); end++)
		if ((run->flow.ways & 1 << end) &&
		    !memcmp(&run->flow.way[end].key, &run->key, sizeof(run->key)))
			return &run->flow.way[end].to;
	return NULL;
}

static void set_snat(const struct tp_flow *way, struct trace *out)
{
	out->snat = way->flags & TP_FLOW_SRC_NAT;
	if (!out->snat)
		return;
	memcpy(&out->snat_to.addr, &way->src, sizeof(out->snat_to.addr));
	out->snat_to.port = ntohs(way->sport);
}

static void read_mss(const uint8_t *tcp, size_t size, struct trace *out)
{
	if (size >= 24 && tcp[13] & TH_SYN && tcp[20] == TCPOPT_MAXSEG)
		out->mss = (uint16_t)(tcp[22] << 8 | tcp[23]);
}

/* TTL and MSS, from the packet as the program left it. */
static void read_packet(const struct run *run, const struct tp_flow *way, struct trace *out)
{
	bool link = !run->place.on_tunnel || !(way->flags & TP_FLOW_L3_OUT);
	bool v4 = addr_is_v4(&run->frame.packet.src);
	size_t header = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	const uint8_t *ip = run->out + (link ? ETH_HLEN : 0);
	size_t left = run->out_size - (size_t)(ip - run->out);

	if (run->out_size < ETH_HLEN + header)
		return;
	out->ttl = v4 ? ip[offsetof(struct iphdr, ttl)] : ip[offsetof(struct ipv6hdr, hop_limit)];
	if (run->key.proto == IPPROTO_TCP)
		read_mss(ip + header, left - header, out);
}

static void set_next_hop(const struct tp_flow *way, struct trace *out)
{
	struct addr to;

	if_indextoname(way->ifindex, out->out); /* empty if it has just gone */
	out->mtu = way->mtu;
	if (way->flags & TP_FLOW_L3_OUT)
		return;
	out->mac_known = !(way->flags & TP_FLOW_NEIGH);
	memcpy(out->mac, way->dmac, sizeof(out->mac));
	memcpy(&to, &way->dst, sizeof(to));
	trace_find_next_hop(&to, way->ifindex, &out->next_hop);
}

static void describe_way(const struct run *run, struct trace *out)
{
	const struct tp_flow *way = way_of(run);

	if (!way)
		return;
	set_snat(way, out);
	if (trace_verdict(out) != TP_FORWARD || out->reason == TP_R_answered)
		return;
	set_next_hop(way, out);
	read_packet(run, way, out);
}

/* ---- the run ------------------------------------------------------------------------------ */

/* Beyond what the sandbox can know: that others have what the new flow would need. */
static int check_room(const struct run *run, struct trace *out, struct err *err)
{
	const struct tp_flow_way *answers = &run->flow.way[TP_ANSWERER];
	struct tp_flow_state other;
	int r = bpf_flows_are_full(run->bpf, &out->full, err);

	if (r || !(run->flow.ways & 1 << TP_ANSWERER))
		return r;
	r = bpf_find_flow(run->bpf, &answers->key, &other, err);
	if (r > 0)
		out->reason = TP_R_clash;
	return r < 0 ? r : 0;
}

/* The grants were asked, or the flow would have been opened. */
static bool was_judged(const struct trace *trace)
{
	switch (trace->reason) {
	case TP_R_acl:
	case TP_R_nat_full:
	case TP_R_nat_proto:
	case TP_R_nat_options:
	case TP_R_nat_no_address:
	case TP_R_ct_full:
	case TP_R_clash:
	case TP_R_blackhole:
	case TP_R_no_backend:
	case TP_R_reset:
	case TP_R_stack_route: return true;
	default: return false;
	}
}

static int explain(struct run *run, const struct sandbox *sandbox, struct trace *out,
		   struct err *err)
{
	uint32_t rule = TP_RULE_MAX;
	int r;

	set_classes(run, out);
	if (run->has_flow) {
		name_flow(run, out);
		describe_way(run, out);
		return 0;
	}
	name_ends(run, out);
	r = judge(run, sandbox, &rule, err);
	if (!r && was_judged(out))
		set_grant(run, rule, out);
	return r;
}

static int put_through(struct run *run, struct sandbox *sandbox, struct trace *out, struct err *err)
{
	const struct tp_flow_key key = entering_key(run);
	uint32_t cb[5] = {};
	int r = sandbox_copy_mappings(sandbox, run->bpf, err), found = 0;

	if (!r)
		r = found = sandbox_copy_flow(sandbox, run->bpf, &key, err);
	if (r < 0)
		return r;
	set_frame(run, &out->request, found);
	r = fire(run, sandbox_program_fd(sandbox, run->place.hook), run->place.ifindex, cb);
	if (r)
		return err_sys(err, r, "put a packet through the programs");
	r = sandbox_read_reason(sandbox, &out->reason, err);
	if (r)
		return r;
	r = sandbox_read_flow(sandbox, &run->flow, err);
	if (r < 0)
		return r;
	run->has_flow = r > 0;
	if (r)
		out->flow = r == 1 ? TRACE_FLOW_KNOWN : TRACE_FLOW_NEW;
	r = r == 2 ? check_room(run, out, err) : 0;
	return r ? r : explain(run, sandbox, out, err);
}

static int check_build(const struct state *have, struct err *err)
{
	uint8_t hash[HASH_SIZE];

	bpf_object_hash(hash);
	if (!memcmp(hash, have->object_hash, HASH_SIZE))
		return 0;
	return err_set(err, -EPROTO,
		       "the programs in the kernel are of another build of towpath: run `towpath "
		       "apply`, or trace with the towpath that did");
}

int bpf_trace(const struct bpf *bpf, const struct state *have, const struct trace_request *request,
	      struct trace *out, struct err *err)
{
	struct run run = { .bpf = bpf, .have = have };
	struct trace trace = { .request = *request };
	struct sandbox *sandbox = NULL;
	int r = check_build(have, err);

	if (!r)
		r = trace_find_place(bpf, have, request, &run.place, err);
	if (r)
		return r;
	trace.way = run.place.way;
	memcpy(trace.in, run.place.in, sizeof(trace.in));
	set_key(&run, request);
	if (trace.way == TRACE_UNSEEN) {
		trace.reason = TP_R_not_ours;
	} else {
		r = sandbox_open(bpf, &sandbox, err);
		if (!r)
			r = put_through(&run, sandbox, &trace, err);
		sandbox_close(sandbox);
	}
	if (!r)
		*out = trace;
	return r;
}
