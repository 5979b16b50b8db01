// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies that take each other's place under traffic: what both allow never stops, what neither
 * allows never passes. No packet sees a part of one and a part of the other. How often:
 * POLICY_SWAPS
 * (`make nightly` sets a thousand).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "policies.h"
#include "rows.h"
#include "test.h"

#define SWAPS 50
#define FLOWS 200 /* of each family */

/* The same ports in other classes, other rules and another order; 53 is open in both, 54 in none.
 */
#define WIDE                                                                                  \
	POLICY(NO_SNAT,                                                                       \
	       DENY("phone", "*", "udp:54") ", " GRANT("phone", "*", "udp:50-60") ", " GRANT( \
		       "tablet", "192.0.2.0/24", "tcp:80"),                                   \
	       "")
#define NARROW                                                                                     \
	POLICY(NO_SNAT,                                                                            \
	       GRANT("tablet", "*", "*") ", " GRANT("*", "2001:db8:30::/64", "udp:53") ", " GRANT( \
		       "phone", "192.0.2.0/24", "udp:53") ", " DENY("phone", "*", "udp:54"),       \
	       "")

/* What the one grants, the other only would refuse. */
#define GRANTED POLICY(NO_SNAT, GRANT("*", "*", "udp:53"), "")
#define LOGGED  POLICY(NO_SNAT, DENY("*", "*", "udp:53"), ", \"enforce\": \"log\"")

enum { REDIRECT = 7, DROP = 2 }; /* TC_ACT_* */

struct traffic {
	atomic_bool over;
	bool granted; /* the policies let go on what the others refuse, too */
	unsigned long runs, wrong;
};

static void try_one(struct traffic *traffic, enum family family, int sport, int dport, int verdict)
{
	struct packet packet = udp("phone", sport, "host", dport);
	struct ports none = {};
	uint8_t frame[FRAME_MAX];
	size_t size = row_frame(FROM_TUNNEL, &packet, family, &none, frame);
	struct run run = {};

	traffic->runs++;
	if (!rig_fire(FROM_TUNNEL, frame, size, &run) || run.retval != verdict)
		traffic->wrong++;
}

/* Each flow is judged once a policy, and a refused packet each time. */
static void send_some(struct traffic *traffic, enum family family)
{
	static const int refused[] = { 20, 49, 54, 61, 80, 1000 };
	int i, count = sizeof(refused) / sizeof(refused[0]);

	for (i = 0; i < count; i++) {
		try_one(traffic, family, 1 + (int)(traffic->runs % FLOWS), 53, REDIRECT);
		if (!traffic->granted)
			try_one(traffic, family, 1, refused[i], DROP);
	}
}

static void *send_all(void *arg)
{
	struct traffic *traffic = arg;

	while (!atomic_load(&traffic->over)) {
		send_some(traffic, V4);
		send_some(traffic, V6);
	}
	return NULL;
}

static unsigned long swaps(void)
{
	const char *text = getenv("POLICY_SWAPS");

	return text ? strtoul(text, NULL, 10) : SWAPS;
}

static void swap_under_traffic(const char *first, const char *second, bool granted)
{
	struct traffic traffic = { .granted = granted };
	unsigned long i, count = swaps();
	pthread_t sender;

	row_start(first, V4);
	REQUIRE(!pthread_create(&sender, NULL, send_all, &traffic));
	for (i = 0; i < count; i++)
		rig_switch(i % 2 ? first : second);
	atomic_store(&traffic.over, true);
	pthread_join(sender, NULL);
	printf("  %lu packets during %lu swaps\n", traffic.runs, count);
	CHECK(traffic.runs > count);
	CHECK_INT(traffic.wrong, 0);
}

TEST(no_packet_sees_half_a_policy)
{
	swap_under_traffic(WIDE, NARROW, false);
}

TEST(no_packet_sees_rules_that_are_enforced_by_mistake)
{
	swap_under_traffic(LOGGED, GRANTED, true);
}
