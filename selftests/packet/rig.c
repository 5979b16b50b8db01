// SPDX-License-Identifier: GPL-2.0-only
#include "rig.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cmd/gather.h"
#include "fixture.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_service.h"
#include "kernel/bpf_switch.h"
#include "kernel/observe.h"
#include "model/want.h"
#include "places.h"
#include "state.h"

uint32_t rig_flows = RIG_FLOWS;

static struct bpf bpf;
static struct fixture fixture; /* of the live policy */
static char *live;             /* its text; NULL: none, or the world has changed */
static struct rig_times times;

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "packet tier: %s: %s\n", what, err ? err->text : strerror(errno));
	exit(2);
}

const struct bpf *rig_bpf(void)
{
	return &bpf;
}

struct state *rig_want(void)
{
	return &fixture.want;
}

int rig_map(const char *name)
{
	static struct {
		char name[16];
		int fd;
	} known[48];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known) && known[i].fd; i++)
		if (!strcmp(known[i].name, name))
			return known[i].fd;
	if (i == ARRAY_SIZE(known) || strlen(name) >= sizeof(known[i].name))
		die("open one more map", NULL);
	known[i].fd = bpf_map_open(&bpf, name);
	if (known[i].fd < 0)
		die(name, NULL);
	strcpy(known[i].name, name);
	return known[i].fd;
}

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct rig_times rig_times(void)
{
	return times;
}

/* ---- the way of a policy into the kernel, as `towpath apply` goes it --------------------- */

static void read_policy(struct fixture *f, const char *policy)
{
	const struct policy_member *self;
	uint64_t begin = nanoseconds();
	char *lines;

	if (fixture_policy(f, policy)) {
		lines = fixture_lines(&f->problems);
		fprintf(stderr, "packet tier: policy: %s\n%s\n", lines, policy);
		exit(2);
	}
	times.read = nanoseconds() - begin;
	self = policy_find_self(f->policy, "gw", NULL);
	if (observe_facts(&f->facts, NULL, WORLD_INSTANCE, &f->err) ||
	    gather_facts(f->policy, self, NULL, NULL, &f->facts, &f->err) ||
	    gather_sockets(f->policy, self, &f->facts, &f->err))
		die("facts", &f->err);
	key_generate(&f->facts.private_key);
	f->facts.private_key_set = true;
	begin = nanoseconds();
	if (want_build(f->policy, self, &f->facts, &f->want, &f->warnings, &f->err))
		die("want", &f->err);
	times.compile = nanoseconds() - begin;
	f->want.limits.flows = rig_flows; /* sizes of the maps: the same for all policies */
}

static void set_devices(struct err *err)
{
	const struct state_device *device;

	array_for_each(device, &fixture.want.devices)
		if (bpf_set_device(&bpf, device, err))
			die("devices", err);
	if (bpf_note_tunnel(&bpf, world_ifindex(TUNNEL0), err))
		die("tunnel", err);
}

/* All anew, as every one is healthy when a policy begins. */
static void set_services(struct err *err)
{
	const struct socket_lb *lb = &fixture.want.socket_lb;
	const struct service_row *service;
	const struct backends_row *backends;

	state_empty("tp_services");
	state_empty("tp_backends");
	array_for_each(backends, &lb->backends)
		if (bpf_set_backends(&bpf, backends, err))
			die("backends", err);
	array_for_each(service, &lb->services)
		if (bpf_set_service(&bpf, service, err))
			die("services", err);
}

void rig_switch(const char *policy)
{
	uint64_t begin;
	struct err err;

	fixture_free(&fixture);
	read_policy(&fixture, policy);
	if (!bpf.skeleton && bpf_open(&bpf, WORLD_BPFFS, WORLD_INSTANCE, false, &err))
		die("bpffs", &err);
	if (bpf_load_xdp(&bpf, &fixture.want, &err))
		die("programs", &err);
	if (bpf_set_limits(&bpf, &fixture.want.limits, &err))
		die("limits", &err);
	set_devices(&err);
	set_services(&err);
	begin = nanoseconds();
	if (bpf_stage_policy(&bpf, &fixture.want, &err) ||
	    bpf_switch_policy(&bpf, &fixture.want, &err))
		die("policy", &err);
	times.swap = nanoseconds() - begin;
	rig_touch();
	live = mem_copy_string(policy);
}

void rig_touch(void)
{
	free(live);
	live = NULL;
}

void rig_start(const char *policy)
{
	world_make();
	if (!live || strcmp(live, policy))
		rig_switch(policy);
	state_forget_flows();
}

/* ---- what the live policy's rows are called ---------------------------------------------- */

uint32_t rig_rule(uint32_t grant)
{
	uint32_t i;

	for (i = 0; i < fixture.want.tables.rules.count; i++)
		if (fixture.want.tables.rules.items[i].grant == grant)
			return i;
	die("a rule of that grant", NULL);
	return 0;
}

uint32_t rig_peer(const char *name)
{
	const struct peer_info_row *row;

	array_for_each(row, &fixture.want.peer_info)
		if (!strcmp(row->info.name, name))
			return row->id;
	die(name, NULL);
	return 0;
}

uint32_t rig_route(const char *prefix)
{
	const struct route_info_row *row;
	struct prefix wanted;

	if (prefix_read(prefix, &wanted))
		die(prefix, NULL);
	array_for_each(row, &fixture.want.route_info)
		if (prefix_is_equal(&row->prefix, &wanted))
			return row->id;
	die(prefix, NULL);
	return 0;
}

uint64_t rig_generation(void)
{
	struct tp_state state;
	struct err err;

	if (bpf_read_state(&bpf, &state, &err))
		die("state", &err);
	return state.generation;
}

uint32_t rig_hz(void)
{
	return fixture.facts.hz;
}

uint64_t rig_jiffies(void)
{
	return gather_jiffies(fixture.facts.hz);
}

/* ---- running ------------------------------------------------------------------------------ */

static const struct {
	enum state_hook program;
	enum device device;
	enum device ingress;
	bool has_ingress;
} hooks[] = {
	[FROM_TUNNEL] = { HOOK_TC_TUNNEL, TUNNEL0, 0, false },
	[FROM_LAN] = { HOOK_TC_LAN, LAN0, 0, false },
	[FROM_LAN1] = { HOOK_TC_LAN, LAN1, 0, false },
	[FROM_LAN_AS_OTHER] = { HOOK_TC_LAN, LAN0, 0, false },
	[FROM_LAN_AS_BROADCAST] = { HOOK_TC_LAN, LAN0, 0, false },
	[FROM_WIRE] = { HOOK_XDP_LAN, LAN0, 0, false },
	[FROM_WIRE1] = { HOOK_XDP_LAN, LAN1, 0, false },
	[FROM_WIRE_OTHER] = { HOOK_XDP_LAN, OTHER0, 0, false },
	[FROM_WIRE_AS_OTHER] = { HOOK_XDP_LAN, LAN0, 0, false },
	[FROM_WIRE_AS_BROADCAST] = { HOOK_XDP_LAN, LAN0, 0, false },
	[INTO_TUNNEL_OWN] = { HOOK_TC_EGRESS, TUNNEL0, 0, false },
	[INTO_TUNNEL_FROM_LAN] = { HOOK_TC_EGRESS, TUNNEL0, LAN0, true },
	[INTO_TUNNEL_FROM_OTHER] = { HOOK_TC_EGRESS, TUNNEL0, OTHER0, true },
	[INTO_LAN_OWN] = { HOOK_TC_EGRESS, LAN0, 0, false },
	[INTO_LAN_FROM_TUNNEL] = { HOOK_TC_EGRESS, LAN0, TUNNEL0, true },
	[INTO_LAN_FROM_OTHER] = { HOOK_TC_EGRESS, LAN0, OTHER0, true },
	[INTO_LAN_FROM_LAN1] = { HOOK_TC_EGRESS, LAN0, LAN1, true },
	[INTO_LAN1_FROM_LAN] = { HOOK_TC_EGRESS, LAN1, LAN0, true },
	[INTO_LAN_FROM_LAN] = { HOOK_TC_EGRESS, LAN0, LAN0, true },
};

enum device rig_device(enum hook hook)
{
	return hooks[hook].device;
}

bool rig_has_ethernet(enum hook hook)
{
	return hooks[hook].device != TUNNEL0;
}

bool rig_is_xdp(enum hook hook)
{
	return hooks[hook].program == HOOK_XDP_LAN;
}

void rig_note_native(bool lan0, bool lan1)
{
	struct err err;

	if (bpf_note_xdp(&bpf, world_ifindex(LAN0), lan0, &err) ||
	    bpf_note_xdp(&bpf, world_ifindex(LAN1), lan1, &err))
		die("devices", &err);
}

bool rig_fire(enum hook hook, const uint8_t *frame, size_t size, struct run *run)
{
	struct xdp_md xdp_context = { .data_end = (uint32_t)size,
				      .ingress_ifindex = world_ifindex(hooks[hook].device) };
	struct __sk_buff context = {
		.ifindex = world_ifindex(hooks[hook].device),
		.ingress_ifindex = hooks[hook].has_ingress ? world_ifindex(hooks[hook].ingress) : 0,
		.gso_size = run->gso_size,
		.gso_segs = run->gso_segs,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)size,
		    .data_out = run->out, .data_size_out = sizeof(run->out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context), .repeat = run->repeat ? run->repeat : 1);

	memcpy(context.cb, run->cb, sizeof(run->cb));
	if (rig_is_xdp(hook)) {
		opts.ctx_in = &xdp_context;
		opts.ctx_size_in = sizeof(xdp_context);
		opts.ctx_out = NULL;
		opts.ctx_size_out = 0;
	}
	if (bpf_prog_test_run_opts(bpf_program_fd(&bpf, hooks[hook].program), &opts))
		return false;
	run->retval = (int)opts.retval;
	run->ns = opts.duration;
	run->out_size = opts.data_size_out;
	memcpy(run->cb, context.cb, sizeof(run->cb));
	return true;
}

void rig_run(enum hook hook, const uint8_t *frame, size_t size, struct run *run)
{
	__u64 before[TP_REASON_COUNT];
	int i;

	state_read_reasons(before);
	if (!rig_fire(hook, frame, size, run))
		die("run a program", NULL);
	state_read_reasons(run->reasons);
	for (i = 0; i < TP_REASON_COUNT; i++)
		run->reasons[i] -= before[i];
}
