// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random valid and damaged packets against the model of model.h: none leaves untranslated, none
 * leaves with a checksum that is less right than it was, none passes without a grant. How many:
 * PROPERTY_PACKETS (`make nightly` sets ten million), from PROPERTY_SEED on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "model_policy.h"
#include "roll.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define PACKETS 100000 /* of each family */
#define CHAPTER 500    /* packets until all flows are forgotten: the table must not fill */

static uint32_t seed, number; /* of the packet that is tried */
static uint32_t not_taken;    /* frames that the kernel refused to run a program on */

static uint32_t number_of(const char *variable, uint32_t otherwise)
{
	const char *text = getenv(variable);

	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static void print_frame(const char *what, const uint8_t *frame, size_t size)
{
	size_t i;

	printf("  %s (%zu):", what, size);
	for (i = 0; i < size && i < 160; i++)
		printf("%s%02x", i % 4 ? "" : " ", frame[i]);
	printf("\n");
}

static bool complain(const struct trial *trial, const char *wrong)
{
	static const char *const places[] = { [FROM_TUNNEL] = "from the tunnel",
					      [FROM_LAN] = "from a LAN",
					      [INTO_LAN_FROM_TUNNEL] = "by the stack to a LAN" };

	if (test_check(!wrong, __FILE__, __LINE__, "PROPERTY_SEED=%u, packet %u %s: %s", seed,
		       number, places[trial->hook], wrong ? wrong : ""))
		return true;
	print_frame("in", trial->in, trial->in_size);
	print_frame("out", trial->run->out, trial->run->out_size);
	return false;
}

/* A packet on its way out of lan0, where the stack has brought it. */
static bool try_leaving(const uint8_t *frame, size_t size)
{
	struct run run = {};
	struct trial trial = { INTO_LAN_FROM_TUNNEL, frame, size, &run };

	if (!rig_fire(trial.hook, frame, size, &run))
		return true; /* too short to be a frame */
	return complain(&trial, model_judge_leaving(&trial));
}

/* What the stack makes of a packet that it got from the tunnel: TTL lower, maybe in two pieces. */
static bool go_on_by_stack(const struct rolled *rolled)
{
	uint8_t frames[2][FRAME_MAX];
	size_t sizes[2], count, i;

	count = stack_forwards(rolled, frames, sizes);
	for (i = 0; i < count; i++)
		if (!try_leaving(frames[i], sizes[i]))
			return false;
	return true;
}

static bool try_one(const struct rolled *rolled)
{
	struct run run = {};
	struct trial trial = { rolled->hook, rolled->frame, rolled->size, &run };

	if (!rig_fire(rolled->hook, rolled->frame, rolled->size, &run)) {
		not_taken++;
		return true;
	}
	if (!complain(&trial, model_judge(&trial)))
		return false;
	if (rolled->hook == FROM_TUNNEL && (run.retval == -1 || !roll(8)))
		return go_on_by_stack(rolled);
	return true;
}

static bool run_chapter(enum family family)
{
	struct rolled rolled;

	roll_seed(seed);
	model_forget();
	state_forget_flows();
	for (number = 0; number < CHAPTER; number++) {
		roll_packet(&rolled, family);
		if (!try_one(&rolled))
			return false;
	}
	return true;
}

/* Packets that are all refused would show little. */
static void check_counts(const struct model_counts *before, uint32_t packets)
{
	const struct model_counts *c = model_counts();

	printf("  opened %u, went on %u, answered %u, errors %u, fragments %u, for this machine or "
	       "the stack %u, left by it %u, refused %u, not valid %u\n",
	       c->opened - before->opened, c->went_on - before->went_on,
	       c->answered - before->answered, c->errors - before->errors,
	       c->fragments - before->fragments, c->delivered - before->delivered,
	       c->left - before->left, c->refused - before->refused,
	       c->malformed - before->malformed);
	CHECK(not_taken < packets / 10);
	CHECK(c->opened - before->opened > packets / 100);
	CHECK(c->went_on - before->went_on > packets / 100);
	CHECK(c->answered - before->answered > packets / 100);
	CHECK(c->errors - before->errors > packets / 200);
}

static void check_family(enum family family)
{
	uint32_t packets = number_of("PROPERTY_PACKETS", 2 * PACKETS) / 2;
	uint32_t done;
	struct model_counts before = *model_counts();

	seed = number_of("PROPERTY_SEED", 1);
	row_start(model_policy(), family);
	for (done = 0; done < packets; done += CHAPTER, seed++)
		if (!run_chapter(family))
			return;
	check_counts(&before, packets);
}

TEST(nothing_leaves_that_must_not_in_ipv4)
{
	check_family(V4);
}

TEST(nothing_leaves_that_must_not_in_ipv6)
{
	check_family(V6);
}
