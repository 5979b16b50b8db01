// SPDX-License-Identifier: GPL-2.0-only
#include "rows.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "state.h"
#include "test.h"

#define PORT_MIN 16384 /* default of limits.snat_ports */
#define PORT_MAX 29999

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 0x99 }; /* whoever sends to us */
static enum family running;

static const char *const reason_names[] = {
#define NAME_OF(name, verdict, text) [TP_R_##name] = #name,
	TP_REASONS(NAME_OF)
#undef NAME_OF
};

enum family row_family(void)
{
	return running;
}

size_t row_frame(enum hook hook, const struct packet *packet, enum family family,
		 const struct ports *ports, uint8_t *out)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t other[6] = { 2, 0, 0, 0, 0, 0x55 };
	const uint8_t *to = world_mac(rig_device(hook));

	if (!rig_has_ethernet(hook))
		return packet_put(packet, family, ports, out);
	if (hook == FROM_LAN_AS_OTHER || hook == FROM_WIRE_AS_OTHER)
		to = other;
	if (hook == FROM_LAN_AS_BROADCAST || hook == FROM_WIRE_AS_BROADCAST)
		to = broadcast;
	packet_put_ethernet(out, to, peer_mac, family);
	return ETHERNET + packet_put(packet, family, ports, out + ETHERNET);
}

/* ---- what was expected ---------------------------------------------------------------------- */

/* The packet goes back, as an error about itself or as a RST. */
static bool is_answer(const struct fate_of *then)
{
	return then->reason == TP_R_answered || then->reason == TP_R_no_backend ||
	       then->reason == TP_R_reset;
}

/* Whom what is handed to a LAN device has as its sender: made of the nonce, not to tell it. */
static void put_hander(uint8_t *mac)
{
	const uint32_t zero = 0;
	struct tp_state state;
	uint64_t mixed = 0;
	int i;

	if (bpf_map_lookup_elem(rig_map("tp_state"), &zero, &state))
		exit(2);
	for (i = 0; i < 2; i++) {
		mixed = (mixed ^ state.nonce) * 0x9e3779b97f4a7c15ULL;
		mixed ^= mixed >> 32;
	}
	memcpy(mac, &mixed, 6);
	mac[0] = 2;
}

/*
 * The link header that the program leaves in front. What goes into the tunnel or to the stack
 * keeps the one it came with, if any: the kernel takes it off.
 */
static size_t put_header(const struct step *step, const uint8_t *frame, enum family family,
			 uint8_t *out)
{
	static const uint8_t open[6];
	const struct fate_of *then = &step->then;
	const struct place *next = then->next ? places_find(then->next) : NULL;
	uint8_t sender[6];

	if (is_answer(then) && then->device == TUNNEL0)
		return 0;
	if (is_answer(then)) {
		packet_put_ethernet(out, peer_mac, world_mac(then->device), family);
		return ETHERNET;
	}
	if (then->reason == TP_R_handed_over) {
		put_hander(sender);
		packet_put_ethernet(out, world_mac(then->device), sender, family);
		return ETHERNET;
	}
	if (then->fate == SENT && next) {
		packet_put_ethernet(out, next->mac, world_mac(then->device), family);
		return ETHERNET;
	}
	if (rig_has_ethernet(step->hook)) {
		memcpy(out, frame, ETHERNET);
		return ETHERNET;
	}
	if (then->fate != SENT || then->device == TUNNEL0)
		return 0;
	packet_put_ethernet(out, open, open, family);
	return ETHERNET;
}

/* A port that NAT has just chosen: in its range, and nobody else's. */
static void learn_port(const struct packet *in, const struct packet *out, enum family family,
		       struct ports *ports)
{
	uint16_t port = state_nat_port(in, family, out->src);
	int i;

	CHECK(port >= PORT_MIN && port <= PORT_MAX);
	for (i = 0; i < PORT_NAMES; i++)
		test_check(port != ports->chosen[i], __FILE__, __LINE__, "port %u is taken twice",
			   port);
	ports->chosen[-out->sport - 1] = port;
}

/* XDP counts what it ends; what it passes, tc counts. */
static void check_reasons(const struct run *run, enum tp_reason reason)
{
	int i;

	for (i = 0; i < TP_REASON_COUNT; i++) {
		bool moves = i == (int)reason && reason != TP_R_none;

		test_check(run->reasons[i] == moves, __FILE__, __LINE__,
			   "counter %s moved by %llu, not by %d", reason_names[i],
			   (unsigned long long)run->reasons[i], moves);
	}
}

static int verdict_of(enum hook hook, enum fate fate)
{
	static const int tc[] = { [DROPPED] = TC_ACT_SHOT,
				  [UNTOUCHED] = TC_ACT_UNSPEC,
				  [PASSED] = TC_ACT_UNSPEC,
				  [SENT] = TC_ACT_REDIRECT };
	static const int xdp[] = { [DROPPED] = XDP_DROP,
				   [UNTOUCHED] = XDP_PASS,
				   [PASSED] = XDP_PASS,
				   [SENT] = XDP_REDIRECT };

	return rig_is_xdp(hook) ? xdp[fate] : tc[fate];
}

/* The redirect's target is invisible to a test run; what it was taken from is not. */
static void check_entry(const struct step *step, enum family family, const struct ports *ports)
{
	bool from_tunnel = rig_device(step->hook) == TUNNEL0;
	enum tp_side side = from_tunnel ? TP_SIDE_TUNNEL : TP_SIDE_LAN;
	const struct fate_of *then = &step->then;
	struct tp_flow_key key = state_key(&step->in, family, ports, side);
	struct tp_flow_key sent = state_key(&then->out, family, ports, side);
	struct tp_flow flow;

	if (!CHECK(state_find_flow(&key, &flow)))
		return;
	CHECK_INT(flow.ifindex, world_ifindex(then->device));
	CHECK_INT(!!(flow.flags & TP_FLOW_L3_OUT), then->device == TUNNEL0);
	CHECK_BYTES(&flow.src, sizeof(flow.src), &sent.src, sizeof(sent.src));
	CHECK_BYTES(&flow.dst, sizeof(flow.dst), &sent.dst, sizeof(sent.dst));
	CHECK_INT(ntohs(flow.sport), ntohs(sent.sport));
	CHECK_INT(ntohs(flow.dport), ntohs(sent.dport));
}

static size_t put_expected(const struct step *step, const uint8_t *frame, size_t frame_size,
			   enum family family, const struct ports *ports, uint8_t *out)
{
	size_t size;

	if (step->then.fate == DROPPED || step->then.fate == UNTOUCHED) {
		memcpy(out, frame, frame_size);
		return frame_size;
	}
	size = put_header(step, frame, family, out);
	return size + packet_put(&step->then.out, family, ports, out + size);
}

static void check_fate(const struct step *step, const struct run *run, const uint8_t *frame,
		       size_t frame_size, enum family family, struct ports *ports)
{
	const struct fate_of *then = &step->then;
	uint8_t want[FRAME_MAX];
	size_t size;

	CHECK_INT(run->retval, verdict_of(step->hook, then->fate));
	check_reasons(run, then->reason);
	if (then->fate == SENT && then->out.sport < 0 && !packet_port(then->out.sport, ports))
		learn_port(&step->in, &then->out, family, ports);
	size = put_expected(step, frame, frame_size, family, ports, want);
	test_check_bytes(run->out, run->out_size, want, size, __FILE__, __LINE__, "the packet");
	if (then->fate == SENT && !step->in.quote && !is_answer(then))
		check_entry(step, family, ports);
}

void row_start(const char *policy, enum family family)
{
	running = family;
	rig_touch(); /* counters of rules begin at zero */
	rig_start(policy);
}

void row_step(const struct step *step, enum family family, struct ports *ports)
{
	struct run run = { .gso_size = step->gso_size, .gso_segs = step->gso_size ? 2 : 0 };
	uint8_t frame[FRAME_MAX];
	bool is_error = step->in.quote;
	uint64_t flows;
	size_t size;

	if (step->before)
		step->before();
	flows = state_digest(is_error);
	size = row_frame(step->hook, &step->in, family, ports, frame);
	rig_run(step->hook, frame, size, &run);
	check_fate(step, &run, frame, size, family, ports);
	/* leaves every flow as it was, to the last count; a next hop may be found for an answer */
	if (is_error || step->then.reason == TP_R_answered)
		CHECK(state_digest(is_error) == flows);
	CHECK_INT(state_live_flows(), step->flows);
}

enum tp_reason row_reason(enum hook hook, const struct packet *packet, enum family family)
{
	static const struct ports none = {};
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	int i;

	rig_run(hook, frame, row_frame(hook, packet, family, &none, frame), &run);
	for (i = 0; i < TP_REASON_COUNT; i++)
		if (run.reasons[i])
			return (enum tp_reason)i;
	return TP_R_none;
}

/* ---- rows as cases ------------------------------------------------------------------------ */

struct row_case {
	const struct row *row;
	enum family family;
};

static void run_row(const void *data)
{
	const struct row_case *c = data;
	struct ports ports = {};
	const struct step *step;

	running = c->family;
	rig_start(c->row->policy);
	for (step = c->row->steps; step < c->row->steps + STEPS_MAX && step->hook; step++) {
		printf("  packet %d\n", (int)(step - c->row->steps) + 1);
		row_step(step, c->family, &ports);
	}
	if (c->row->after) {
		c->row->after();
		rig_touch();
	}
}

static void register_case(const char *file, const struct row *row, enum family family)
{
	struct row_case *c = calloc(1, sizeof(*c)); /* lives as long as the program */
	char name[96];

	if (!c)
		exit(2);
	c->row = row;
	c->family = family;
	snprintf(name, sizeof(name), "%s_v%d", row->name, family);
	test_register_row(file, name, run_row, c);
}

void rows_register(const char *file, const struct row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (rows[i].only != V6)
			register_case(file, &rows[i], V4);
		if (rows[i].only != V4)
			register_case(file, &rows[i], V6);
	}
}
