// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two CPUs open the same flow at the same moment. Which of them wins is nobody's business; that one
 * of them does, whole, is looked up in the maps: a flow alive has all its entries, an entry alive
 * a flow, each tuple one flow at most, and each mapping as many users as there are flows with it.
 */
#include <bpf/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "policies.h"
#include "rows.h"
#include "services.h"
#include "state.h"
#include "test.h"

#define ROUNDS   96 /* new tuples at a time: each may cost two slots, and an eighth stays free */
#define BATCHES  8
#define SMALL    256 /* bytes of a frame here */
#define FIRST    20000
#define STAGGERS 16 /* so many different delays of the second CPU */

/* One packet from each side of the race; their ports that are FIRST count up with the rounds. */
struct race {
	const char *policy;
	enum hook hook[2];
	struct packet packet[2];
	uint32_t entries;       /* of a flow */
	uint32_t both_may_lose; /* in so many rounds at most */
	bool mapped_alone;      /* by mappings that the index does not name */
};

struct racer {
	const struct race *race;
	int cpu, side;
	enum family family;
	bool failed;
};

static uint8_t frames[2][ROUNDS][SMALL];
static size_t frame_size[2];
static atomic_uint arrived;
static struct tp_flow_state slots[RIG_FLOWS]; /* as the race has left them */

/* ---- the race -------------------------------------------------------------------------------- */

static void put_frames(const struct race *race, int side, enum family family, int first)
{
	static const struct ports none = {};
	struct packet packet = race->packet[side];
	uint8_t frame[FRAME_MAX];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (race->packet[side].sport == FIRST)
			packet.sport = first + i;
		else
			packet.dport = first + i;
		frame_size[side] = row_frame(race->hook[side], &packet, family, &none, frame);
		memcpy(frames[side][i], frame, SMALL);
	}
}

/* Both leave at once; or, as the programs look at this and that before, nearly at once. */
static void wait_for_other(unsigned int round, int side)
{
	volatile unsigned int delay = side ? round % STAGGERS * 32 : 0;
	unsigned int spins = 0;

	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < 2 * (round + 1))
		if (++spins % 4096 == 0)
			sched_yield();
	while (delay)
		delay--;
}

static void *run_side(void *data)
{
	static struct run runs[2];
	struct racer *racer = data;
	struct run *run = &runs[racer->side];
	cpu_set_t cpus;
	unsigned int i;

	CPU_ZERO(&cpus);
	CPU_SET(racer->cpu, &cpus);
	racer->failed = pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	for (i = 0; i < ROUNDS; i++) {
		wait_for_other(i, racer->side);
		memset(run->cb, 0, sizeof(run->cb));
		if (!rig_fire(racer->race->hook[racer->side], frames[racer->side][i],
			      frame_size[racer->side], run))
			racer->failed = true;
	}
	return NULL;
}

/* The CPUs that this process may use: programs keep notes per CPU, so each side needs its own. */
static bool two_cpus(int cpu[2])
{
	cpu_set_t cpus;
	int i, found = 0;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return false;
	for (i = 0; i < CPU_SETSIZE && found < 2; i++)
		if (CPU_ISSET(i, &cpus))
			cpu[found++] = i;
	return found == 2;
}

static void run_batch(const struct race *race, enum family family, const int cpu[2])
{
	struct racer racers[2] = {};
	pthread_t threads[2];
	int i;

	atomic_store(&arrived, 0);
	for (i = 0; i < 2; i++) {
		racers[i] =
			(struct racer){ .race = race, .cpu = cpu[i], .side = i, .family = family };
		REQUIRE(!pthread_create(&threads[i], NULL, run_side, &racers[i]));
	}
	for (i = 0; i < 2; i++) {
		REQUIRE(!pthread_join(threads[i], NULL));
		CHECK(!racers[i].failed);
	}
}

/* ---- what is left of it ---------------------------------------------------------------------- */

/* How many entries name each flow that is alive. */
static void count_entries(uint32_t entries[RIG_FLOWS])
{
	struct tp_flow_key key, *from = NULL;
	struct tp_flow flow;

	memset(entries, 0, RIG_FLOWS * sizeof(*entries));
	while (!bpf_map_get_next_key(rig_map("tp_flows"), from, &key)) {
		from = &key;
		if (state_find_flow(&key, &flow))
			entries[flow.slot]++;
	}
}

static bool check_flows(const struct race *race, size_t created)
{
	uint32_t entries[RIG_FLOWS], slot, wrong = 0;
	size_t live = state_live_flows();

	count_entries(entries);
	for (slot = 0; slot < RIG_FLOWS; slot++) {
		const struct tp_flow_way *way = slots[slot].way;

		if (slots[slot].gen & 1)
			wrong += entries[slot] != race->entries ||
				 !(way[0].packets + way[1].packets);
		else
			wrong += entries[slot];
	}
	if (!CHECK_INT(wrong, 0) || !CHECK_INT(created, live))
		return false;
	return CHECK(live <= ROUNDS && live + race->both_may_lose >= ROUNDS);
}

/* Flows that hold the mapping: also dead ones, until they are buried. */
static uint32_t holders(uint32_t id)
{
	const struct tp_flow_state *state;
	uint32_t count = 0;

	for (state = slots; state < slots + RIG_FLOWS; state++)
		if (state->gen & 1 || state->died)
			count += (state->mapping[0] == id) + (state->mapping[1] == id);
	return count;
}

static bool check_mappings(const struct race *race)
{
	struct tp_nat_in_key key, *from = NULL;
	struct tp_nat_in mapping;
	uint32_t wrong = 0;

	while (!bpf_map_get_next_key(rig_map("tp_nat_in"), from, &key)) {
		from = &key;
		if (!state_read_mapping(&key, &mapping) ||
		    (mapping.users & TP_NAT_FLOWS) != holders(mapping.users >> 32))
			wrong++;
	}
	return CHECK_INT(wrong, 0) && CHECK_INT(state_count("tp_nat_out"),
						race->mapped_alone ? 0 : state_count("tp_nat_in"));
}

/* As of just now, or of long ago: then the flows to come bury them. */
static void kill_all(bool long_ago)
{
	struct tp_flow_key key, *from = NULL;
	struct tp_flow_state state;
	struct tp_flow flow;

	while (!bpf_map_get_next_key(rig_map("tp_flows"), from, &key)) {
		from = &key;
		if (!state_find_flow(&key, &flow))
			continue;
		state_bury(&key);
		if (long_ago)
			continue;
		state = state_slot(flow.slot);
		state.died = rig_jiffies();
		state_write_slot(flow.slot, &state);
	}
}

static bool run_and_check(const struct race *race, enum family family, const int cpu[2])
{
	size_t before = state_flow_counter().created;
	uint32_t slot;

	run_batch(race, family, cpu);
	for (slot = 0; slot < RIG_FLOWS; slot++)
		slots[slot] = state_slot(slot);
	return check_flows(race, state_flow_counter().created - before) && check_mappings(race);
}

static void run_race(const struct race *race, enum family family)
{
	int cpu[2], batch;

	if (!two_cpus(cpu)) {
		test_skip("there is one CPU only");
		return;
	}
	rig_start(race->policy);
	for (batch = 0; batch < BATCHES; batch++) {
		state_forget_flows();
		put_frames(race, 0, family, FIRST + batch * ROUNDS);
		put_frames(race, 1, family, FIRST + batch * ROUNDS);
		if (!run_and_check(race, family, cpu))
			return;
		kill_all(batch & 1);
		/* once more, where dead flows lie about */
		if (!run_and_check(race, family, cpu))
			return;
	}
}

static void run_races(const struct race *race)
{
	run_race(race, V4);
	run_race(race, V6);
}

#define TWICE(from, ...)                    \
	.hook = { from, from }, .packet = { \
		__VA_ARGS__,                \
		__VA_ARGS__,                \
	}

TEST(one_of_two_datagrams_opens_a_flow)
{
	static const struct race race = {
		.policy = OPEN_ROUTED,
		.entries = 2,
		TWICE(FROM_TUNNEL, udp("phone", FIRST, "host", 53)),
	};
	run_races(&race);
}

TEST(one_of_two_SYNs_opens_a_flow)
{
	static const struct race race = {
		.policy = OPEN_ROUTED,
		.entries = 2,
		TWICE(FROM_TUNNEL, tcp(SYN, "phone", FIRST, "host", 80)),
	};
	run_races(&race);
}

TEST(one_of_two_datagrams_opens_a_flow_with_NAT)
{
	static const struct race race = {
		.policy = OPEN_MASQ,
		.entries = 2,
		TWICE(FROM_TUNNEL, udp("phone", FIRST, "host", 53)),
	};
	run_races(&race);
}

TEST(one_of_two_SYNs_opens_a_flow_with_NAT)
{
	static const struct race race = {
		.policy = OPEN_SNAT,
		.entries = 2,
		TWICE(FROM_TUNNEL, tcp(SYN, "phone", FIRST, "host", 80)),
	};
	run_races(&race);
}

/* One mapping, two flows: only their mapping is the same. */
TEST(two_flows_of_one_port_share_its_mapping)
{
	static const struct race race = {
		.policy = OPEN_MASQ,
		.entries = 2,
		TWICE(FROM_TUNNEL, udp("phone", 5000, "host", FIRST)),
	};
	run_races(&race);
}

TEST(one_of_two_SYNs_opens_a_flow_to_this_machine)
{
	static const struct race race = {
		.policy = OPEN_ROUTED,
		.entries = 1,
		TWICE(FROM_TUNNEL, tcp(SYN, "phone", FIRST, "self", 22)),
	};
	run_races(&race);
}

TEST(one_of_two_datagrams_of_this_machine_opens_a_flow)
{
	static const struct race race = {
		.policy = OPEN_ROUTED,
		.entries = 1,
		TWICE(INTO_TUNNEL_OWN, udp("self", FIRST, "phone", 53)),
	};
	run_races(&race);
}

/*
 * To one backend, though each chooses at random. Each CPU may lose a key, which has been seen on a
 * busy machine twice in 100,000 rounds (TP_R_clash of both): the third datagram opens it then.
 */
TEST(one_of_two_datagrams_opens_a_flow_to_a_service)
{
	static const struct race race = {
		.policy = POLICY(MASQUERADE, TO_SERVICE, SERVED_BY("random", HOSTS_V4, HOSTS_V6)),
		.entries = 2,
		.both_may_lose = 1,
		.mapped_alone = true,
		TWICE(FROM_TUNNEL, udp("phone", FIRST, "vip", 53)),
	};
	run_races(&race);
}

TEST(one_of_two_SYNs_opens_a_flow_to_a_service_of_this_machine)
{
	static const struct race race = {
		.policy = POLICY(MASQUERADE, TO_SERVICE,
				 SERVED_BY("random", "\"100.64.0.1\", \"192.0.2.1\"",
					   "\"fd7a::1\", \"2001:db8:30::1\"")),
		.entries = 2,
		.mapped_alone = true,
		TWICE(FROM_TUNNEL, tcp(SYN, "phone", FIRST, "vip", 80)),
	};
	run_races(&race);
}

/* Each is the answer to the other. */
TEST(two_ends_open_one_flow)
{
	static const struct race race = {
		.policy = OPEN_ROUTED,
		.entries = 2,
		.hook = { FROM_TUNNEL, FROM_LAN },
		.packet = { udp("phone", FIRST, "host", 53), udp("host", 53, "phone", FIRST) },
	};
	run_races(&race);
}

/*
 * The same where neither key is the first by its side: each of the two may lose one. How often is
 * a matter of timing.
 */
TEST(two_members_open_one_flow)
{
	static const struct race race = {
		.policy = OPEN_ROUTED,
		.entries = 2,
		.both_may_lose = ROUNDS - 1,
		.hook = { FROM_TUNNEL, FROM_TUNNEL },
		.packet = { udp("phone", FIRST, "tablet", 53), udp("tablet", 53, "phone", FIRST) },
	};
	run_races(&race);
}
