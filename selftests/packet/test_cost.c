// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the size of a policy costs: `make bench BENCH="t6 t8"`. It is here, and not with the other
 * benches, because a first packet must be run without the device that it would leave by. Registered
 * only when POLICY_BENCH is set: nothing passes or fails on time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rows.h"
#include "scale.h"
#include "state.h"
#include "test.h"

#define ROUNDS  5
#define REPEATS 1000 /* of a packet that is refused, which leaves everything as it was */
#define FLOWS   500  /* opened before all are forgotten; there is room for RIG_FLOWS */

enum { REDIRECT = 7, DROP = 2 }; /* TC_ACT_* */

/* Nanoseconds of one packet, on average. */
enum cost { REFUSED_AGAIN, REFUSED, OPENED, COSTS };

static const char *const cost_names[COSTS] = {
	"refused, the same packet again and again",
	"refused, each packet once",
	"allowed, the flow opened",
};

static struct size {
	const char *name, *options;
	struct scale scale;
	double best[COSTS];
	struct rig_times times;
} sizes[] = {
	{ .name = "10 grants, 200 prefixes", .options = "--peers 10 --grants 10 --prefixes 200" },
	{ .name = "1,000 grants, 5,000 prefixes",
	  .options = "--peers 1000 --grants 1000 --prefixes 5000" },
	{ .name = "4,096 grants, 100,000 prefixes", .options = "" },
};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static double measure(const struct scale *scale, bool allowed, int repeat)
{
	uint64_t sum = 0;
	size_t i, count = 0;

	for (i = 0; i < scale->count; i++) {
		const struct sample *sample = &scale->samples[i];
		struct run run = { .repeat = repeat };
		uint8_t frame[FRAME_MAX];
		size_t size = scale_frame(sample, (int)i + 1, frame);

		if (sample->allowed != allowed || sample->proto == IPPROTO_GRE)
			continue; /* a few without ports would be one flow */
		if (count % FLOWS == 0)
			state_forget_flows();
		if (!CHECK(rig_fire(FROM_TUNNEL, frame, size, &run)) ||
		    !CHECK_INT(run.retval, allowed ? REDIRECT : DROP))
			return 0;
		sum += run.ns;
		count++;
	}
	return CHECK(count) ? (double)sum / (double)count : 0;
}

static void keep_less(double *best, double now)
{
	if (!*best || now < *best)
		*best = now;
}

static void keep_less_time(uint64_t *best, uint64_t now)
{
	if (!*best || now < *best)
		*best = now;
}

static void run_round(struct size *size)
{
	struct rig_times times;

	rig_touch();
	row_start(size->scale.policy, V4);
	times = rig_times();
	keep_less_time(&size->times.read, times.read);
	keep_less_time(&size->times.compile, times.compile);
	keep_less_time(&size->times.swap, times.swap);
	keep_less(&size->best[REFUSED_AGAIN], measure(&size->scale, false, REPEATS));
	keep_less(&size->best[REFUSED], measure(&size->scale, false, 1));
	keep_less(&size->best[OPENED], measure(&size->scale, true, 1));
}

static void print_first_packets(void)
{
	size_t i;
	int cost;

	printf("\n  t6, the first packet of a flow, ns (and against the smallest); the least of %d "
	       "rounds\n",
	       ROUNDS);
	for (cost = 0; cost < COSTS; cost++) {
		printf("  %s\n", cost_names[cost]);
		for (i = 0; i < SIZES; i++)
			printf("    %-32s %8.0f  x %.2f\n", sizes[i].name, sizes[i].best[cost],
			       sizes[i].best[cost] / sizes[0].best[cost]);
	}
}

static void print_swaps(void)
{
	size_t i;

	printf("\n  t8, a policy, ms; the least of %d rounds\n", ROUNDS);
	printf("    %-32s %8s %8s %8s\n", "", "read", "compile", "swap");
	for (i = 0; i < SIZES; i++)
		printf("    %-32s %8.1f %8.1f %8.1f\n", sizes[i].name,
		       (double)sizes[i].times.read / 1e6, (double)sizes[i].times.compile / 1e6,
		       (double)sizes[i].times.swap / 1e6);
}

static void measure_policies(void)
{
	size_t i;
	int round;

	for (i = 0; i < SIZES; i++)
		if (!scale_make(&sizes[i].scale, sizes[i].options))
			return;
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < SIZES; i++)
			run_round(&sizes[i]);
	print_first_packets();
	print_swaps();
	for (i = 0; i < SIZES; i++)
		scale_free(&sizes[i].scale);
}

__attribute__((constructor)) static void register_cost(void)
{
	if (getenv("POLICY_BENCH"))
		test_register(__FILE__, "of_a_policy", measure_policies);
}
