// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a million flows cost while they are cleaned up: `make bench BENCH=t10`. Registered only when
 * FLOW_BENCH is set: nothing passes or fails on time.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "policies.h"
#include "rows.h"
#include "test.h"

#define ROOM    (1U << 20)
#define FILLED  1000000
#define SAMPLES 10000

enum { REDIRECT = 7 }; /* TC_ACT_REDIRECT */

static struct tp_flow_state *slots;
static uint32_t samples[SAMPLES];

/* ---- packets -------------------------------------------------------------------------------- */

/* Nanoseconds of a packet of the flow of that number; 0: it was refused. */
static uint32_t send_one(int number)
{
	const struct packet packet = udp("phone", 1 + number % 1024, "tablet", 1 + number / 1024);
	const struct ports none = {};
	static struct run run;
	uint8_t frame[FRAME_MAX];

	run.repeat = 1;
	if (!CHECK(rig_fire(FROM_TUNNEL, frame, row_frame(FROM_TUNNEL, &packet, V4, &none, frame),
			    &run)))
		return 0;
	return run.retval == REDIRECT ? run.ns : 0;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median; what it is called, in a row with how it compares. */
static uint32_t show(const char *what, uint32_t against)
{
	uint32_t median;

	qsort(samples, SAMPLES, sizeof(*samples), compare);
	median = samples[SAMPLES / 2];
	printf("    %-48s %8u  x %.2f %10u %10u\n", what, median,
	       against ? (double)median / against : 1.0, samples[SAMPLES - SAMPLES / 1000],
	       samples[SAMPLES - 1]);
	return median;
}

/* New flows, from that number on. */
static uint32_t show_new(const char *what, int from, uint32_t against)
{
	int i;

	for (i = 0; i < SAMPLES; i++)
		samples[i] = send_one(from + i);
	return show(what, against);
}

/*
 * Known flows, in an order that no cache foresees; between them new ones, or none. Each has had a
 * packet just before, or it would look for its next hop anew, as it does once a second.
 */
static uint32_t show_known(const char *what, int from, int fresh, uint32_t against)
{
	int i;

	for (i = 0; i < SAMPLES; i++)
		send_one(from + i);
	for (i = 0; i < SAMPLES; i++) {
		if (fresh)
			send_one(fresh + i);
		samples[i] = send_one(from + (int)((uint32_t)i * 7919U % SAMPLES));
	}
	return show(what, against);
}

/* ---- what time does ------------------------------------------------------------------------- */

/* No packet of the flows in these slots has been seen for so many seconds. */
static void expire(uint32_t from, uint32_t to, uint32_t seconds)
{
	for (; from < to; from++)
		slots[from].seen = rig_jiffies() - (uint64_t)seconds * rig_hz();
}

static void let_dead_be_buried(void)
{
	uint32_t slot;

	for (slot = 0; slot < ROOM; slot++)
		if (slots[slot].died)
			slots[slot].died -= 2ULL * rig_hz();
}

static void fill(void)
{
	int i, opened = 0;

	for (i = 0; i < FILLED - SAMPLES; i++)
		opened += send_one(i) != 0;
	CHECK_INT(opened, FILLED - SAMPLES);
}

static void measure_flows(void)
{
	uint32_t quiet, known;
	size_t size = sizeof(*slots) * ROOM;

	row_start(OPEN_ROUTED, V4);
	slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, rig_map("tp_flow_state"), 0);
	REQUIRE(slots != MAP_FAILED);
	printf("\n  t10, a million flows, ns of a packet %21s %18s %10s\n", "median", "1 of 1000",
	       "longest");
	fill();
	quiet = show_new("opens a flow, none expired", FILLED - SAMPLES, 0);
	known = show_known("of a known flow", FILLED - SAMPLES, 0, 0);

	expire(0, FILLED - SAMPLES, 7441);
	show_new("opens a flow, 4 expired ones are marked", FILLED, quiet);
	let_dead_be_buried();
	show_new("opens a flow, 4 are marked and 4 buried", FILLED + SAMPLES, quiet);
	let_dead_be_buried();
	show_known("of a known flow, between such", FILLED - SAMPLES, FILLED + 2 * SAMPLES, known);
	munmap(slots, size);
}

__attribute__((constructor)) static void register_cost(void)
{
	if (!getenv("FLOW_BENCH"))
		return;
	rig_flows = ROOM;
	test_register(__FILE__, "of_a_million", measure_flows);
}
