// SPDX-License-Identifier: GPL-2.0-only
/*
 * The largest policy there may be: ten thousand peers, 4,096 grants, a hundred thousand prefixes.
 * selftests/scale/generate-policy writes it, and what it takes each of a thousand packets for.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_trace.h"
#include "rows.h"
#include "scale.h"
#include "state.h"
#include "test.h"

#define FLOWS  500 /* of one protocol without ports and of few addresses, some would clash */
#define SWAPS  2
#define TRACED 3 /* of each verdict: a trace loads the programs anew, which takes a second */

enum { REDIRECT = 7, DROP = 2 }; /* TC_ACT_* */

static struct scale largest;

/* Its prefixes are led into the tunnel by these, in place of a hundred thousand. */
static const char *const ways[] = { "100.64.0.0/10", "10.0.0.0/8", "fd7a::/16", "fd0b::/32" };

static void lead(const char *verb)
{
	char words[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		snprintf(words, sizeof(words), "route %s %s dev tp0", verb, ways[i]);
		world_ip(words);
	}
}

/* The policy is made once for all cases. */
static bool start_largest(void)
{
	if (!largest.count && !scale_make(&largest, ""))
		return false;
	row_start(largest.policy, V4);
	lead("add");
	return true;
}

static void end_largest(void)
{
	lead("del");
}

/* The verdict, the reason, and the grant that it is put down to. */
static bool agrees(const struct sample *sample, int number)
{
	uint64_t generation = rig_generation(), before = 0;
	uint32_t rule = sample->grant < 0 ? 0 : rig_rule((uint32_t)sample->grant);
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	size_t size = scale_frame(sample, number, frame);

	if (sample->grant >= 0)
		before = state_rule_counter(generation, rule).packets;
	rig_run(FROM_TUNNEL, frame, size, &run);
	if (sample->allowed ? run.retval != REDIRECT : run.retval != DROP || !run.reasons[TP_R_acl])
		return false;
	return sample->grant < 0 || state_rule_counter(generation, rule).packets == before + 1;
}

TEST(the_largest_policy_is_judged_as_its_grants_say)
{
	size_t i, verdicts[2] = { 0, 0 };

	if (!start_largest())
		return;
	for (i = 0; i < largest.count; i++) {
		const struct sample *sample = &largest.samples[i];

		if (i % FLOWS == 0 || sample->proto == IPPROTO_GRE)
			state_forget_flows();
		verdicts[sample->allowed]++;
		if (!test_check(agrees(sample, (int)i + 1), __FILE__, __LINE__,
				"%s > %s protocol %d port %d: grant %d, %s", sample->src,
				sample->dst, sample->proto, sample->dport, sample->grant,
				sample->allowed ? "allowed" : "refused"))
			break;
	}
	end_largest();
	CHECK(verdicts[0] > largest.count / 10);
	CHECK(verdicts[1] > largest.count / 10);
}

/* A trace of it says what the grants say, and by which of them. */
static bool is_traced(const struct sample *sample, const struct state *have)
{
	struct trace_request request = { .sport = 40000 };
	struct trace trace;
	struct err err = {};

	request.packet.proto = (uint8_t)sample->proto;
	if (decide_has_ports(request.packet.proto))
		request.packet.port = (uint16_t)sample->dport;
	if (addr_read(sample->src, &request.packet.src) ||
	    addr_read(sample->dst, &request.packet.dst) ||
	    bpf_trace(rig_bpf(), have, &request, &trace, &err))
		return test_check(false, __FILE__, __LINE__, "trace: %s", err.text);
	if (sample->grant >= 0 && !(trace.granted && trace.grant.grant == (uint32_t)sample->grant))
		return false;
	return trace_verdict(&trace) == (sample->allowed ? TP_FORWARD : TP_DROP);
}

TEST(the_largest_policy_is_traced)
{
	size_t i, step, traced[2] = { 0, 0 };
	struct state have = {};
	struct err err;

	if (!start_largest())
		return;
	REQUIRE(!bpf_read_rows(rig_bpf(), &have, &err));
	bpf_object_hash(have.object_hash); /* the rig applies nothing, and so notes none */
	step = largest.count / 50;
	for (i = 0; i < largest.count; i += step) {
		const struct sample *sample = &largest.samples[i];

		if (traced[sample->allowed] == TRACED)
			continue;
		traced[sample->allowed]++;
		test_check(is_traced(sample, &have), __FILE__, __LINE__, "%s > %s protocol %d",
			   sample->src, sample->dst, sample->proto);
	}
	state_free(&have);
	end_largest();
	CHECK_INT(traced[0], TRACED);
	CHECK_INT(traced[1], TRACED);
}

struct traffic {
	atomic_bool over;
	atomic_ulong runs;
	unsigned long wrong;
};

/* Few enough flows to have room at once. The order of grants changes no verdict. */
static void *send_all(void *arg)
{
	struct traffic *traffic = arg;
	size_t i;

	for (i = 0; !atomic_load(&traffic->over); i = (i + 1) % FLOWS) {
		const struct sample *sample = &largest.samples[i];
		struct run run = {};
		uint8_t frame[FRAME_MAX];
		size_t size = scale_frame(sample, (int)i + 1, frame);

		if (sample->proto == IPPROTO_GRE)
			continue;
		if (!rig_fire(FROM_TUNNEL, frame, size, &run) ||
		    run.retval != (sample->allowed ? REDIRECT : DROP))
			traffic->wrong++;
		atomic_fetch_add(&traffic->runs, 1);
	}
	return NULL;
}

TEST(the_largest_policy_is_swapped_under_traffic)
{
	struct traffic traffic = {};
	pthread_t sender;
	int i;

	if (!start_largest())
		return;
	REQUIRE(!pthread_create(&sender, NULL, send_all, &traffic));
	for (i = 0; i < SWAPS; i++)
		rig_switch(i % 2 ? largest.policy : largest.reversed);
	while (atomic_load(&traffic.runs) < 5000)
		usleep(1000);
	atomic_store(&traffic.over, true);
	pthread_join(sender, NULL);
	end_largest();
	printf("  %lu packets during %d swaps\n", atomic_load(&traffic.runs), SWAPS);
	CHECK_INT(traffic.wrong, 0);
}
