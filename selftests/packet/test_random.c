// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs against a naive reading of the grants (selftests/lib/worlds.c): random policies,
 * random packets by both ways in, and both must agree on every verdict and on the grant that gave
 * it. How many packets: RANDOM_PAIRS (`make nightly` sets a million), from RANDOM_SEED on. As many
 * again, between any two places, are put to the program that judges a policy before it goes live.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_judge.h"
#include "rows.h"
#include "state.h"
#include "test.h"
#include "worlds.h"

#define PAIRS  50000
#define TRIALS 1000  /* packets a policy: to switch takes as long as thousands of them */
#define FLOWS  500   /* and then all flows are forgotten: the table must not fill */
#define SPORT  10000 /* and up: no grant asks for them, and no reply has one */

enum { REDIRECT = 7, DROP = 2, STACK = -1 }; /* TC_ACT_* */

struct trial {
	struct world_packet packet;
	enum hook hook;
	int sport;
};

/* What one policy's packets should have counted, by the grant that decides. */
struct tally {
	unsigned int by_grant[GRANTS_MAX];
	unsigned int refused, unserved, sent, passed;
};

static unsigned long pairs, allowed, from_lan;

static unsigned long number_of(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

/* ---- packets that gw has to judge ---- */

static size_t roll_place(int v4)
{
	size_t count = 0;

	while (world_places[v4][count].text)
		count++;
	return world_dice((uint32_t)count);
}

static void roll_packet(struct world_packet *packet)
{
	packet->v4 = (int)world_dice(2);
	packet->src = roll_place(packet->v4);
	packet->dst = roll_place(packet->v4);
	packet->port = world_ports[world_dice(WORLD_PORTS)];
}

/* A LAN's to elsewhere than the mesh is not asked about, exit routes or not. */
static bool is_ours(const struct world_packet *packet)
{
	enum world_way way = world_places[packet->v4][packet->dst].way;

	return world_places[packet->v4][packet->src].source != WORLD_LAN || way == WORLD_TUNNEL ||
	       way == WORLD_SERVICE;
}

/* Whether it tells something about the grants: the source check or the routes refuse the others. */
static bool is_worth_it(const struct world *world, const struct world_packet *packet)
{
	const struct world_place *src = &world_places[packet->v4][packet->src];
	const struct world_place *dst = &world_places[packet->v4][packet->dst];

	if (packet->src == packet->dst || src->source == WORLD_SILENT || dst->way == WORLD_NOWHERE)
		return false;
	if (src->source == WORLD_LAN)
		return is_ours(packet) || !world_dice(10);
	return dst->way != WORLD_OUTSIDE || world->exit;
}

static bool has_ports(int proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_ICMP; /* the identifier */
}

/*
 * Without ports two packets between the same places are of one flow, of which the grants are asked
 * once. Protocol 0 of IPv6 is a hop-by-hop header.
 */
static bool is_new(const struct world_packet *packet, bool seen[2][WORLD_PLACES][WORLD_PLACES][256])
{
	int proto = packet->port.proto;
	bool *there = &seen[packet->v4][packet->src][packet->dst][proto];
	bool *back = &seen[packet->v4][packet->dst][packet->src][proto];
	bool new = has_ports(proto) || !(*there || *back);

	*there = true;
	return new && (packet->v4 || proto);
}

static void roll_trial(const struct world *world, struct trial *trial, bool first)
{
	static bool seen[2][WORLD_PLACES][WORLD_PLACES][256];
	struct world_packet *packet = &trial->packet;

	if (first)
		memset(seen, 0, sizeof(seen));
	do {
		roll_packet(packet);
	} while (!is_worth_it(world, packet) || !is_new(packet, seen));
	trial->hook =
		world_places[packet->v4][packet->src].source == WORLD_LAN ? FROM_LAN : FROM_TUNNEL;
}

static size_t put_frame(const struct trial *trial, uint8_t *frame)
{
	const struct world_packet *p = &trial->packet;
	struct packet packet = { .src = world_places[p->v4][p->src].text,
				 .dst = world_places[p->v4][p->dst].text,
				 .proto = p->port.proto,
				 .sport = trial->sport,
				 .dport = p->port.port };
	static const struct ports none;

	if (packet.proto == IPPROTO_TCP)
		packet.tcp_flags = SYN;
	if (packet.proto == IPPROTO_ICMP)
		packet.echo = REQUEST;
	return row_frame(trial->hook, &packet, p->v4 ? V4 : V6, &none, frame);
}

/* ---- verdicts ---- */

static void expect(const struct world *world, const struct trial *trial, struct tally *tally)
{
	int grant = world_decide(world, &trial->packet);

	if (!is_ours(&trial->packet)) {
		tally->passed++;
		return;
	}
	pairs++;
	from_lan += trial->hook == FROM_LAN;
	if (grant < 0 || world->grants[grant].deny)
		tally->refused++;
	else if (world_serves(&trial->packet))
		tally->sent++;
	else
		tally->unserved++;
	if (grant >= 0 && (world->grants[grant].deny || world_serves(&trial->packet)))
		tally->by_grant[grant]++;
}

static bool try_one(const struct world *world, const struct trial *trial)
{
	struct run run = {};
	uint8_t frame[FRAME_MAX];

	if (!rig_fire(trial->hook, frame, put_frame(trial, frame), &run))
		return false;
	if (!is_ours(&trial->packet))
		return run.retval == STACK;
	if (!world_allows(world, &trial->packet) || !world_serves(&trial->packet))
		return run.retval == DROP;
	return run.retval == REDIRECT || run.retval == STACK; /* for gw itself */
}

/* Verdicts alone do not show that a packet was dropped, or let to the stack, by the grants. */
static bool check_reasons(const struct tally *tally, const __u64 before[TP_REASON_COUNT])
{
	static const bool let_through[TP_REASON_COUNT] = {
		[TP_R_forward] = true, [TP_R_forward_neigh] = true, [TP_R_deliver] = true
	};
	__u64 after[TP_REASON_COUNT], sent = 0, other = 0;
	int i;

	state_read_reasons(after);
	for (i = 0; i < TP_REASON_COUNT; i++) {
		if (let_through[i])
			sent += after[i] - before[i];
		else if (i != TP_R_acl && i != TP_R_not_ours && i != TP_R_no_service)
			other += after[i] - before[i];
	}
	allowed += sent;
	return CHECK_INT(after[TP_R_acl] - before[TP_R_acl], tally->refused) &&
	       CHECK_INT(after[TP_R_not_ours] - before[TP_R_not_ours], tally->passed) &&
	       CHECK_INT(after[TP_R_no_service] - before[TP_R_no_service], tally->unserved) &&
	       CHECK_INT(sent, tally->sent) && CHECK_INT(other, 0);
}

/* A grant has a rule of its own for each service that it names. */
static bool check_grants(const struct world *world, const struct tally *tally)
{
	const struct tables *tables = &rig_want()->tables;
	unsigned int counted[GRANTS_MAX] = { 0 };
	uint64_t generation = rig_generation();
	bool good = true;
	size_t i;

	for (i = 0; i < tables->rules.count; i++)
		counted[tables->rules.items[i].grant] +=
			(unsigned int)state_rule_counter(generation, (uint32_t)i).packets;
	for (i = 0; i < world->count; i++)
		good &= test_check(counted[i] == tally->by_grant[i], __FILE__, __LINE__,
				   "$.grants[%zu] has decided %u packets, not %u", i, counted[i],
				   tally->by_grant[i]);
	return good;
}

static bool complain(const struct world *world, const struct world_packet *p, const char *whom)
{
	return test_check(false, __FILE__, __LINE__,
			  "%s: %s -> %s protocol %d port %d: the grants say %d", whom,
			  world_places[p->v4][p->src].text, world_places[p->v4][p->dst].text,
			  p->port.proto, p->port.port, world_decide(world, p));
}

/* By the attached programs. */
static bool try_all(const struct world *world)
{
	__u64 before[TP_REASON_COUNT];
	struct tally tally = {};
	struct trial trial;
	int i;

	state_read_reasons(before);
	for (i = 0; i < TRIALS; i++) {
		if (i % FLOWS == 0)
			state_forget_flows();
		roll_trial(world, &trial, i % FLOWS == 0);
		trial.sport = SPORT + i;
		expect(world, &trial, &tally);
		if (!try_one(world, &trial))
			return complain(world, &trial.packet,
					trial.hook == FROM_LAN ? "from a LAN" : "from the tunnel");
	}
	return check_reasons(&tally, before) && check_grants(world, &tally);
}

/* ---- the program that is not attached ---- */

static bool judge_one(const struct world *world, const struct trial *trial, int program,
		      uint64_t generation)
{
	struct __sk_buff context = { .cb = { (uint32_t)generation, (uint32_t)(generation >> 32) } };
	int grant = world_decide(world, &trial->packet);
	const struct tables *tables = &rig_want()->tables;
	uint8_t frame[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context), .repeat = 1);

	opts.data_size_in = (uint32_t)put_frame(trial, frame);
	if (bpf_prog_test_run_opts(program, &opts))
		return false;
	if (grant < 0)
		return opts.retval == TP_R_acl && context.cb[2] == TP_RULE_NONE;
	return opts.retval == (world->grants[grant].deny ? TP_R_acl : TP_R_none) &&
	       context.cb[2] < tables->rules.count &&
	       tables->rules.items[context.cb[2]].grant == (uint32_t)grant;
}

static bool judge_all(const struct world *world)
{
	AUTO_CLOSE int program = bpf_judge_open(rig_bpf());
	uint64_t generation = rig_generation();
	struct trial trial = { .hook = FROM_LAN, .sport = SPORT };
	struct world_packet *packet = &trial.packet;
	int i;

	for (i = 0; i < TRIALS; i++) {
		do {
			roll_packet(packet);
		} while (!packet->v4 && !packet->port.proto);
		if (!judge_one(world, &trial, program, generation))
			return complain(world, packet, "before it goes live");
	}
	return true;
}

/* Few grants leave most packets to none of them; of many, one denies nearly all. */
static bool try_seed(uint32_t seed)
{
	AUTO_FREE char *policy = NULL;
	struct world world;
	bool good;

	world_seed(seed);
	world_roll(&world, seed % 4 ? 12 : GRANTS_MAX);
	policy = world_put(&world);
	row_start(policy, V4);
	good = try_all(&world) && judge_all(&world);
	if (!good)
		printf("  RANDOM_SEED=%u\n  %s\n", seed, policy);
	return good;
}

TEST(the_programs_agree_with_the_grants)
{
	unsigned long wanted = number_of("RANDOM_PAIRS", PAIRS);
	uint32_t seed = (uint32_t)number_of("RANDOM_SEED", 1);

	world_begin();
	world_make();
	/* the internet, for when the exit routes are approved */
	world_ip("route add default via 192.0.2.254");
	world_ip("route add default via 2001:db8:30::fe");
	pairs = allowed = from_lan = 0;
	while (pairs < wanted && try_seed(seed))
		seed++;
	world_ip("route del default via 192.0.2.254");
	world_ip("route del default via 2001:db8:30::fe");
	rig_touch();

	printf("  %lu pairs of a policy and a packet, %lu of them allowed, %lu from a LAN\n", pairs,
	       allowed, from_lan);
	if (pairs < PAIRS)
		return; /* a look at a few seeds */
	/* a comparison in which nearly all packets fare alike would show little */
	CHECK(allowed > pairs / 10);
	CHECK(allowed < pairs - pairs / 10);
	CHECK(from_lan > pairs / 10);
}
