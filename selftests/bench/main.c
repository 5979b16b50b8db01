// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: bench [WORK...] [CONFIGURATION...]
 *
 * Sets up every configuration, then measures them in turn, round after round: the machine may
 * change its speed meanwhile, the ratio of two neighbours in time hardly does.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/num.h"
#include "configs.h"
#include "gate.h"
#include "net.h"
#include "report.h"

#define ROUNDS     9
#define ROUND_MS   800
#define LANES_MAX  32
#define WORKS_MAX  16
#define ROUNDS_MAX 1000

#define LAN_TITLE "XDP, ethernet to ethernet, grants and SNAT"
#define TUN_TITLE "tc, tunnel to LAN, grants and SNAT, router only"
#define LAN_PEERS                                        \
	{                                                \
		"kernel", "nft", "xdp-fib", "xdp-static" \
	}
#define TUN_PEERS                                  \
	{                                          \
		"kernel", "nft", NULL, "tc-static" \
	}

static const struct {
	const char *name;
	struct work work;
} works[] = {
	{ "t1", { LAN_TITLE, false, 1024, NULL, LAN_PEERS, { 4, 6.5, 1.3, 0.85 } } },
	{ "t1-1", { LAN_TITLE, false, 1, NULL, LAN_PEERS, { 0 } } },
	{ "t3-16k", { LAN_TITLE, false, 16384, NULL, LAN_PEERS, { 2.8, 0, 1, 0 } } },
	{ "t3-128k", { LAN_TITLE, false, 131072, NULL, LAN_PEERS, { 2.2, 0, 0, 0 } } },
	{ "t2", { TUN_TITLE, true, 1024, "tc-drop", TUN_PEERS, { 2.5, 6, 0, 0.7 } } },
	{ "t2-1", { TUN_TITLE, true, 1, "tc-drop", TUN_PEERS, { 0 } } },
	{ "t2-16k", { TUN_TITLE, true, 16384, "tc-drop", TUN_PEERS, { 0 } } },
	{ "t2-128k", { TUN_TITLE, true, 131072, "tc-drop", TUN_PEERS, { 0 } } },
};

struct bench {
	unsigned int rounds, round_ms;
	const struct work *works[WORKS_MAX];
	int work_count;
	const struct config *configs[LANES_MAX]; /* none: all */
	int config_count;
	struct lane lanes[LANES_MAX];
	int lane_count;
	FILE *markdown;
};

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "bench: %s: %s\n", what, err ? err->text : strerror(errno));
	exit(1);
}

/* ---- what is asked for -------------------------------------------------------------------- */

/* True when a word names one work or, as "t3" does, several. */
static bool add_works(struct bench *bench, const char *word)
{
	size_t length = strlen(word), i;
	bool found = false;

	for (i = 0; i < ARRAY_SIZE(works); i++) {
		const char *name = works[i].name;
		bool whole = !strcmp(name, word);

		if (!whole && (strcmp(word, "t3") != 0 || strncmp(name, word, length) != 0))
			continue;
		found = true;
		if (bench->work_count < WORKS_MAX)
			bench->works[bench->work_count++] = &works[i].work;
	}
	return found;
}

static bool add_config(struct bench *bench, const char *word)
{
	const struct config *config = config_find(word);

	if (config && bench->config_count < LANES_MAX)
		bench->configs[bench->config_count++] = config;
	return config;
}

static int usage(const char *word)
{
	size_t i;
	int c;

	fprintf(stderr, "bench: what is \"%s\"?\nwork: t3", word);
	for (i = 0; i < ARRAY_SIZE(works); i++)
		fprintf(stderr, " %s", works[i].name);
	fprintf(stderr, "\nconfigurations:");
	for (c = 0; c < config_count; c++)
		fprintf(stderr, " %s", configs[c].name);
	fprintf(stderr, "\nenvironment: ROUNDS, ROUND_MS, MARKDOWN (file to append to), TOWPATH\n");
	return 2;
}

static unsigned int number_from(const char *name, unsigned int otherwise, unsigned int most)
{
	const char *text = getenv(name);
	uint64_t number;

	if (!text || !*text)
		return otherwise;
	if (!num_read(text, 1, most, &number))
		return (unsigned int)number;
	fprintf(stderr, "bench: %s=%s: a number from 1 to %u\n", name, text, most);
	exit(2);
}

static int read_args(struct bench *bench, int argc, char **argv)
{
	const char *markdown = getenv("MARKDOWN");
	int i;

	for (i = 1; i < argc; i++)
		if (!add_works(bench, argv[i]) && !add_config(bench, argv[i]))
			return usage(argv[i]);
	if (!bench->work_count) {
		add_works(bench, "t1");
		add_works(bench, "t2");
	}
	bench->rounds = number_from("ROUNDS", ROUNDS, ROUNDS_MAX);
	bench->round_ms = number_from("ROUND_MS", ROUND_MS, 60000);
	if (markdown && *markdown) {
		bench->markdown = fopen(markdown, "ae");
		if (!bench->markdown)
			die(markdown, NULL);
	}
	return 0;
}

/* ---- lanes -------------------------------------------------------------------------------- */

/* The base of a work is always there: nothing could be subtracted otherwise. */
static bool is_wanted(const struct bench *bench, const struct config *config, bool from_tun)
{
	int i;

	if (from_tun ? !config->tun : !config->lan)
		return false;
	for (i = 0; i < bench->work_count; i++)
		if (bench->works[i]->from_tun == from_tun && bench->works[i]->base &&
		    !strcmp(bench->works[i]->base, config->name))
			return true;
	for (i = 0; i < bench->config_count; i++)
		if (bench->configs[i] == config)
			return true;
	return !bench->config_count;
}

static void start_lane(struct bench *bench, const struct config *config, bool from_tun)
{
	struct lane *lane = &bench->lanes[bench->lane_count];
	int r;

	*lane = (struct lane){ .config = config, .from_tun = from_tun };
	lane->number = (unsigned int)bench->lane_count++;
	r = lane_start(lane, &lane->why);
	if (!r)
		r = gate_check(lane, &lane->why);
	lane->usable = !r;
	fprintf(stderr, "bench: %-4s %-10s %s\n", from_tun ? "tun" : "lan", config->name,
		r ? lane->why.text : "ready");
}

static void start_lanes(struct bench *bench, bool from_tun)
{
	bool any = false;
	int i;

	for (i = 0; i < bench->work_count; i++)
		any |= bench->works[i]->from_tun == from_tun;
	for (i = 0; any && i < config_count && bench->lane_count < LANES_MAX; i++)
		if (is_wanted(bench, &configs[i], from_tun))
			start_lane(bench, &configs[i], from_tun);
}

/* ---- measuring ---------------------------------------------------------------------------- */

/* Nothing of this result is shown but why. */
static void give_up(struct result *result)
{
	fprintf(stderr, "bench: %s NOT AVAILABLE: %s\n", result->lane->config->name,
		result->why.text);
}

static void open_flows(struct result *result, const struct work *work)
{
	struct lane *lane = result->lane;

	if (!lane->usable)
		result->why = lane->why;
	else if (lane->config->kind != CONFIG_FLOOR)
		lane_open_flows(lane, work->flows, &result->why);
	if (result->why.code)
		give_up(result);
}

static void run_round(const struct bench *bench, const struct work *work, struct result *results,
		      int count, unsigned int round)
{
	struct result *result;

	for (result = results; result < results + count; result++)
		if (!result->why.code && lane_measure(result->lane, work->flows, bench->round_ms,
						      &result->costs[round], &result->why))
			give_up(result);
}

static void run_rounds(const struct bench *bench, const struct work *work, struct result *results,
		       int count)
{
	struct result *result;
	unsigned int round;

	for (round = 0; round < bench->rounds; round++)
		run_round(bench, work, results, count, round);
	for (result = results; result < results + count; result++)
		if (!result->why.code && gate_check_refusals(result->lane, &result->why))
			give_up(result);
}

static void run_work(struct bench *bench, const struct work *work)
{
	struct result results[LANES_MAX] = { 0 };
	int i, count = 0;

	for (i = 0; i < bench->lane_count; i++) {
		if (bench->lanes[i].from_tun != work->from_tun)
			continue;
		results[count] = (struct result){ .lane = &bench->lanes[i] };
		results[count].costs = mem_alloc(bench->rounds, sizeof(struct cost));
		if (!results[count].costs)
			die("results", NULL);
		open_flows(&results[count++], work);
	}
	run_rounds(bench, work, results, count);
	report_print(stdout, work, results, count, bench->rounds);
	if (bench->markdown)
		report_print(bench->markdown, work, results, count, bench->rounds);
	fflush(stdout);
	for (i = 0; i < count; i++)
		free(results[i].costs);
}

/* The source and all that is not a lane's thread; and memory for maps, on older kernels. */
static void prepare(void)
{
	struct rlimit memory = { RLIM_INFINITY, RLIM_INFINITY };
	struct err err;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(LANE_CPU_SOURCE, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("run on CPU 1; the bench needs two", NULL);
	setrlimit(RLIMIT_MEMLOCK, &memory); /* EPERM will show when a map is made */
	if (net_start(&err))
		die("set up", &err);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	int i, r = read_args(&bench, argc, argv);

	if (r)
		return r;
	prepare();
	start_lanes(&bench, false);
	start_lanes(&bench, true);
	for (i = 0; i < bench.work_count; i++)
		run_work(&bench, bench.works[i]);
	return 0;
}
