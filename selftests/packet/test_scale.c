// SPDX-License-Identifier: GPL-2.0-only
/*
 * The largest policy there may be: ten thousand peers, 4,096 grants, a hundred thousand prefixes.
 * selftests/scale/generate-policy writes it, and what it takes each of a thousand packets for.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define GENERATOR   "selftests/scale/generate-policy"
#define FILE_MAX    (16U << 20)
#define SAMPLES_MAX 1000
#define FLOWS       500 /* of one protocol without ports and of few addresses, some would clash */
#define SWAPS       2

enum { REDIRECT = 7, DROP = 2 }; /* TC_ACT_* */

/* A packet, and what the generator's own reading of the grants makes of it. */
struct sample {
	enum family family;
	int proto, dport;
	char src[48], dst[48];
	bool allowed;
	int grant; /* that decides; -1: none */
};

static struct scale {
	char folder[64];
	char *policy, *reversed; /* NULL: there is no generator, or it failed */
	struct sample samples[SAMPLES_MAX];
	size_t count;
} scale;

static char *read_part(const char *name)
{
	AUTO_FREE char *path = mem_format("%s/%s", scale.folder, name);
	char *text = NULL;
	size_t length;
	struct err err;

	if (!test_check(!file_read(path, FILE_MAX, &text, &length, &err), __FILE__, __LINE__, "%s",
			err.text))
		return NULL;
	unlink(path);
	return text;
}

static void read_samples(char *text)
{
	char *line, *rest = text;

	for (line = strsep(&rest, "\n"); rest && scale.count < SAMPLES_MAX;
	     line = strsep(&rest, "\n")) {
		struct sample *sample = &scale.samples[scale.count];
		char verdict[8], grant[8];
		int family;

		if (!CHECK_INT(sscanf(line, "%d %d %47s %47s %d %7s %7s", &family, &sample->proto,
				      sample->src, sample->dst, &sample->dport, verdict, grant),
			       7))
			return;
		sample->family = family == 4 ? V4 : V6;
		if (sample->proto == IPPROTO_ICMPV6)
			sample->proto = IPPROTO_ICMP; /* as struct packet says it */
		sample->allowed = !strcmp(verdict, "allow");
		sample->grant = grant[0] == '-' ? -1 : atoi(grant);
		scale.count++;
	}
}

/* Once for all cases; false: there is nothing to test with, which has been said. */
static bool generate(void)
{
	AUTO_FREE char *command = NULL;
	AUTO_FREE char *packets = NULL;

	if (scale.reversed)
		return true;
	if (access(GENERATOR, X_OK) || system("python3 -c 0")) {
		test_skip("there is no " GENERATOR " here, or no python3 to run it");
		return false;
	}
	strcpy(scale.folder, "/tmp/towpath-scale-XXXXXX");
	if (!CHECK(mkdtemp(scale.folder)))
		return false;
	command = mem_format(GENERATOR " %s", scale.folder);
	if (CHECK_INT(system(command), 0)) {
		packets = read_part("packets");
		scale.policy = read_part("policy.json");
		scale.reversed = read_part("reversed.json");
	}
	rmdir(scale.folder);
	if (packets)
		read_samples(packets);
	return CHECK_INT(scale.count, SAMPLES_MAX) && scale.policy && scale.reversed;
}

static size_t put_frame(const struct sample *sample, int number, uint8_t *frame)
{
	struct packet packet = { .src = sample->src,
				 .dst = sample->dst,
				 .proto = sample->proto,
				 .sport = number,
				 .dport = sample->dport };
	struct ports none = {};

	if (sample->proto == IPPROTO_TCP)
		packet.tcp_flags = SYN;
	if (sample->proto == IPPROTO_ICMP)
		packet.echo = REQUEST;
	return row_frame(FROM_TUNNEL, &packet, sample->family, &none, frame);
}

/* The verdict, the reason, and the grant that it is put down to. */
static bool agrees(const struct sample *sample, int number)
{
	uint64_t generation = rig_generation(), before = 0;
	uint32_t rule = sample->grant < 0 ? 0 : rig_rule((uint32_t)sample->grant);
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	size_t size = put_frame(sample, number, frame);

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

	if (!generate())
		return;
	row_start(scale.policy, V4);
	for (i = 0; i < scale.count; i++) {
		const struct sample *sample = &scale.samples[i];

		if (i % FLOWS == 0 || sample->proto == IPPROTO_GRE)
			state_forget_flows();
		verdicts[sample->allowed]++;
		if (!test_check(agrees(sample, (int)i + 1), __FILE__, __LINE__,
				"%s > %s protocol %d port %d: grant %d, %s", sample->src,
				sample->dst, sample->proto, sample->dport, sample->grant,
				sample->allowed ? "allowed" : "refused"))
			return;
	}
	CHECK(verdicts[0] > scale.count / 10);
	CHECK(verdicts[1] > scale.count / 10);
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
		const struct sample *sample = &scale.samples[i];
		struct run run = {};
		uint8_t frame[FRAME_MAX];
		size_t size = put_frame(sample, (int)i + 1, frame);

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

	if (!generate())
		return;
	row_start(scale.policy, V4);
	REQUIRE(!pthread_create(&sender, NULL, send_all, &traffic));
	for (i = 0; i < SWAPS; i++)
		rig_switch(i % 2 ? scale.policy : scale.reversed);
	while (atomic_load(&traffic.runs) < 5000)
		usleep(1000);
	atomic_store(&traffic.over, true);
	pthread_join(sender, NULL);
	printf("  %lu packets during %d swaps\n", atomic_load(&traffic.runs), SWAPS);
	CHECK_INT(traffic.wrong, 0);
}
