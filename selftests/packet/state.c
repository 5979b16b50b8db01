// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "places.h"
#include "rig.h"
#include "test.h"

#define CPUS_MAX 1024

static void die(const char *map)
{
	fprintf(stderr, "packet tier: map %s: %s\n", map, strerror(errno));
	exit(2);
}

/* The widest key of a hash map of ours. */
union any_key {
	struct tp_flow_key flow;
	struct tp_nat_out_key nat_out;
	struct tp_nat_in_key nat_in;
	struct tp_addr guard;
	struct tp_endpoint guard_known;
	struct tp_frag_key frag;
};

void state_empty(const char *map)
{
	int fd = rig_map(map);
	union any_key key;

	while (!bpf_map_get_next_key(fd, NULL, &key))
		if (bpf_map_delete_elem(fd, &key))
			die(map);
}

static void forget_slots(void)
{
	static const struct tp_slot_cursor start;
	static const struct tp_flow_state unused;
	struct tp_half_open waiting;
	const uint32_t zero = 0;
	uint32_t slot;

	for (slot = 0; slot < RIG_FLOWS; slot++)
		state_write_slot(slot, &unused);
	while (!bpf_map_lookup_and_delete_elem(rig_map("tp_free_slots"), NULL, &slot))
		;
	while (!bpf_map_lookup_and_delete_elem(rig_map("tp_dead_slots"), NULL, &slot))
		;
	while (!bpf_map_lookup_and_delete_elem(rig_map("tp_half_open"), NULL, &waiting))
		;
	if (bpf_map_update_elem(rig_map("tp_slot_cursor"), &zero, &start, BPF_ANY))
		die("tp_slot_cursor");
}

void state_set_answers(bool none)
{
	static struct tp_bucket buckets[CPUS_MAX];
	const uint32_t zero = 0;
	int cpu;

	/* a bucket that was filled in the future is not filled again */
	for (cpu = 0; cpu < CPUS_MAX; cpu++)
		buckets[cpu].filled = none ? UINT64_MAX : 0;
	if (bpf_map_update_elem(rig_map("tp_answer_rate"), &zero, buckets, BPF_ANY))
		die("tp_answer_rate");
}

void state_forget_flows(void)
{
	state_set_answers(false);
	state_empty("tp_flows");
	state_empty("tp_nat_out");
	state_empty("tp_nat_in");
	state_empty("tp_guard");
	state_empty("tp_guard_known");
	state_empty("tp_frags");
	forget_slots();
}

size_t state_count(const char *map)
{
	union any_key key, *from = NULL;
	int fd = rig_map(map);
	size_t count = 0;

	while (!bpf_map_get_next_key(fd, from, &key)) {
		from = &key;
		count++;
	}
	return count;
}

/* ---- counters ----------------------------------------------------------------------------- */

/* Adds up a per-CPU row of 64-bit counters; a row that is not there is zero. */
static void sum_cpus(int fd, uint32_t row, __u64 *sums, size_t count)
{
	static __u64 values[CPUS_MAX * sizeof(struct tp_peer_counter) / sizeof(__u64)];
	int cpu, cpus = libbpf_num_possible_cpus();
	size_t i;

	memset(sums, 0, count * sizeof(*sums));
	if (cpus < 1 || cpus > CPUS_MAX)
		die("CPUs");
	if (bpf_map_lookup_elem(fd, &row, values))
		return;
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < count; i++)
			sums[i] += values[(size_t)cpu * count + i];
}

void state_read_reasons(__u64 reasons[TP_REASON_COUNT])
{
	uint32_t reason;

	for (reason = 0; reason < TP_REASON_COUNT; reason++)
		sum_cpus(rig_map("tp_drops"), reason, &reasons[reason], 1);
}

struct tp_flow_counter state_flow_counter(void)
{
	struct tp_flow_counter counter;

	sum_cpus(rig_map("tp_flow_stats"), 0, &counter.created, 5);
	return counter;
}

struct tp_peer_counter state_peer_counter(uint32_t peer)
{
	struct tp_peer_counter counter;

	sum_cpus(rig_map("tp_peer_stats"), peer, &counter.rx_packets, 5);
	return counter;
}

struct tp_counter state_route_counter(uint32_t route)
{
	struct tp_counter counter;

	sum_cpus(rig_map("tp_route_stats"), route, &counter.packets, 2);
	return counter;
}

struct tp_counter state_rule_counter(uint64_t generation, uint32_t rule)
{
	uint32_t slot = generation & 1, id;
	struct tp_counter counter;
	AUTO_CLOSE int fd = -1;

	if (bpf_map_lookup_elem(rig_map("tp_rule_stats"), &slot, &id))
		die("tp_rule_stats");
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		die("tp_rule_stats");
	sum_cpus(fd, rule, &counter.packets, 2);
	return counter;
}

/* ---- flows -------------------------------------------------------------------------------- */

static void put_addr(const char *name, enum family family, struct tp_addr *out)
{
	uint8_t *bytes = (uint8_t *)out;

	memset(out, 0, sizeof(*out));
	if (family == V4)
		bytes[10] = bytes[11] = 0xff;
	places_put_addr(name, family, family == V4 ? bytes + 12 : bytes);
}

static uint8_t wire_proto(const struct packet *packet, enum family family)
{
	if (packet->proto == IPPROTO_ICMP && family == V6)
		return IPPROTO_ICMPV6;
	return (uint8_t)packet->proto;
}

struct tp_flow_key state_key(const struct packet *packet, enum family family,
			     const struct ports *ports, enum tp_side side)
{
	struct tp_flow_key key = { .proto = wire_proto(packet, family), .side = (uint8_t)side };
	int dport = packet->proto == IPPROTO_ICMP ? packet->sport : packet->dport;

	put_addr(packet->src, family, &key.src);
	put_addr(packet->dst, family, &key.dst);
	key.sport = htons(packet_port(packet->sport, ports));
	key.dport = htons(packet_port(dport, ports));
	key.answer = packet->echo == REPLY;
	return key;
}

struct tp_flow_state state_slot(uint32_t slot)
{
	struct tp_flow_state state;

	if (bpf_map_lookup_elem(rig_map("tp_flow_state"), &slot, &state))
		die("tp_flow_state");
	return state;
}

void state_write_slot(uint32_t slot, const struct tp_flow_state *state)
{
	if (bpf_map_update_elem(rig_map("tp_flow_state"), &slot, state, BPF_ANY))
		die("tp_flow_state");
}

void state_queue_dead(uint32_t slot)
{
	if (bpf_map_update_elem(rig_map("tp_dead_slots"), NULL, &slot, BPF_ANY))
		die("tp_dead_slots");
}

/* What the table says of a key; ends the test when it says nothing. */
static struct tp_flow_ref find_ref(const struct tp_flow_key *key)
{
	struct tp_flow_ref ref;

	if (bpf_map_lookup_elem(rig_map("tp_flows"), key, &ref))
		die("tp_flows");
	return ref;
}

bool state_find_flow(const struct tp_flow_key *key, struct tp_flow *flow)
{
	struct tp_flow_state state;
	struct tp_flow_ref ref;

	if (bpf_map_lookup_elem(rig_map("tp_flows"), key, &ref))
		return false;
	state = state_slot(ref.slot);
	if (state.gen != ref.slot_gen)
		return false;
	*flow = state.way[ref.way].to;
	CHECK_BYTES(&state.way[ref.way].key, sizeof(*key), key, sizeof(*key));
	CHECK_INT(flow->slot, ref.slot);
	CHECK_INT(flow->slot_gen, ref.slot_gen);
	CHECK(state.ways & 1 << ref.way);
	return true;
}

void state_write_flow(const struct tp_flow_key *key, const struct tp_flow *flow)
{
	struct tp_flow_ref ref = find_ref(key);
	struct tp_flow_state state = state_slot(ref.slot);

	state.way[ref.way].to = *flow;
	state_write_slot(ref.slot, &state);
}

void state_age(const struct tp_flow_key *key, uint32_t seconds)
{
	struct tp_flow_state state;
	struct tp_flow flow;

	if (!state_find_flow(key, &flow))
		die("no flow to age");
	state = state_slot(flow.slot);
	state.seen = rig_jiffies() - (uint64_t)seconds * rig_hz();
	state_write_slot(flow.slot, &state);
}

static void pass_slots(uint64_t jiffies)
{
	struct tp_flow_state state;
	uint32_t slot;

	for (slot = 0; slot < RIG_FLOWS; slot++) {
		state = state_slot(slot);
		if (!state.gen)
			break; /* slots are taken in their order: no later one has been used */
		state.seen -= jiffies;
		if (state.died)
			state.died -= jiffies;
		state_write_slot(slot, &state);
	}
}

static void pass_half_open(uint32_t jiffies)
{
	static struct tp_half_open waiting[RIG_FLOWS];
	size_t i, count = 0;

	while (count < RIG_FLOWS &&
	       !bpf_map_lookup_and_delete_elem(rig_map("tp_half_open"), NULL, &waiting[count]))
		count++;
	for (i = 0; i < count; i++) {
		waiting[i].born -= jiffies;
		if (bpf_map_update_elem(rig_map("tp_half_open"), NULL, &waiting[i], BPF_ANY))
			die("tp_half_open");
	}
}

void state_pass_ms(uint32_t ms)
{
	uint32_t jiffies = ms * rig_hz() / 1000;

	pass_slots(jiffies);
	pass_half_open(jiffies);
}

struct tp_frag_key state_frag_key(const struct packet *packet, enum family family, uint8_t way)
{
	struct tp_frag_key key = { .way = way };

	put_addr(packet->src, family, &key.src);
	put_addr(packet->dst, family, &key.dst);
	key.id = family == V4 ? htons(packet_id(packet)) : htonl(packet_id(packet));
	if (family == V4)
		key.proto = wire_proto(packet, family);
	return key;
}

bool state_find_frag(const struct tp_frag_key *key, struct tp_frag *frag)
{
	return !bpf_map_lookup_elem(rig_map("tp_frags"), key, frag);
}

void state_write_frag(const struct tp_frag_key *key, const struct tp_frag *frag)
{
	if (bpf_map_update_elem(rig_map("tp_frags"), key, frag, BPF_ANY))
		die("tp_frags");
}

bool state_find_mapping(const struct packet *packet, enum family family, const char *outside,
			struct tp_nat_in_key *key, struct tp_nat_in *mapping)
{
	struct tp_nat_out_key out_key = { .port = htons((uint16_t)packet->sport),
					  .proto = wire_proto(packet, family) };
	struct tp_nat_out row;

	put_addr(packet->src, family, &out_key.inside);
	put_addr(outside, family, &out_key.outside);
	if (bpf_map_lookup_elem(rig_map("tp_nat_out"), &out_key, &row))
		return false;
	*key = (struct tp_nat_in_key){ .outside = out_key.outside,
				       .port = row.port,
				       .proto = out_key.proto };
	if (bpf_map_lookup_elem(rig_map("tp_nat_in"), key, mapping))
		return false;
	return !memcmp(&mapping->inside, &out_key.inside, sizeof(mapping->inside)) &&
	       mapping->port == out_key.port && mapping->users >> 32 == row.id;
}

uint16_t state_nat_port(const struct packet *packet, enum family family, const char *outside)
{
	struct tp_nat_in_key key;
	struct tp_nat_in mapping;

	return state_find_mapping(packet, family, outside, &key, &mapping) ? ntohs(key.port) : 0;
}

bool state_read_mapping(const struct tp_nat_in_key *key, struct tp_nat_in *mapping)
{
	return !bpf_map_lookup_elem(rig_map("tp_nat_in"), key, mapping);
}

void state_write_mapping(const struct tp_nat_in_key *key, const struct tp_nat_in *mapping)
{
	if (bpf_map_update_elem(rig_map("tp_nat_in"), key, mapping, BPF_EXIST))
		die("tp_nat_in");
}

void state_fill_index(void)
{
	struct tp_nat_out_key key = { .proto = IPPROTO_UDP };
	struct tp_nat_out row = {};
	uint32_t i;

	for (i = 0; i <= RIG_FLOWS; i++) {
		memcpy(key.inside.bytes, &i, sizeof(i));
		if (bpf_map_update_elem(rig_map("tp_nat_out"), &key, &row, BPF_NOEXIST))
			break;
	}
	if (errno != E2BIG)
		die("tp_nat_out");
}

static void count_live(int change)
{
	struct tp_slot_cursor cursor;
	const uint32_t zero = 0;

	if (bpf_map_lookup_elem(rig_map("tp_slot_cursor"), &zero, &cursor))
		die("tp_slot_cursor");
	cursor.live += (uint32_t)change;
	if (bpf_map_update_elem(rig_map("tp_slot_cursor"), &zero, &cursor, BPF_ANY))
		die("tp_slot_cursor");
}

void state_bury(const struct tp_flow_key *key)
{
	struct tp_flow_state state;
	struct tp_flow flow;

	if (!state_find_flow(key, &flow))
		die("no flow to bury");
	state = state_slot(flow.slot);
	state.gen++;
	state.died = rig_jiffies() - 3ULL * rig_hz();
	state_write_slot(flow.slot, &state);
	state_queue_dead(flow.slot);
	count_live(-1);
}

void state_make_stale(void)
{
	int fd = rig_map("tp_flows");
	struct tp_flow_key key, *from = NULL;
	struct tp_flow_ref ref;
	struct tp_flow flow;

	while (!bpf_map_get_next_key(fd, from, &key)) {
		ref = find_ref(&key);
		flow = state_slot(ref.slot).way[ref.way].to;
		flow.checked -= 2 * rig_hz();
		state_write_flow(&key, &flow);
		from = &key;
	}
}

size_t state_live_flows(void)
{
	struct tp_slot_cursor cursor;
	const uint32_t zero = 0;
	size_t live = 0;
	uint32_t slot;

	for (slot = 0; slot < RIG_FLOWS; slot++)
		live += state_slot(slot).gen & 1;
	if (bpf_map_lookup_elem(rig_map("tp_slot_cursor"), &zero, &cursor))
		die("tp_slot_cursor");
	CHECK_INT(cursor.live, live);
	return live;
}

/* FNV-1a */
static uint64_t digest(uint64_t so_far, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < size; i++)
		so_far = (so_far ^ bytes[i]) * 0x100000001b3;
	return so_far;
}

static void forget_next_hop(struct tp_flow *flow)
{
	flow->checked = 0;
	flow->ifindex = 0;
	flow->mtu = 0;
	flow->flags &= (uint16_t) ~(TP_FLOW_NEIGH | TP_FLOW_XDP);
	memset(flow->dmac, 0, sizeof(flow->dmac));
	memset(flow->smac, 0, sizeof(flow->smac));
}

uint64_t state_digest(bool with_next_hops)
{
	struct tp_flow_key key, *from = NULL;
	uint64_t all = 0xcbf29ce484222325;
	struct tp_flow_state state;
	struct tp_flow_ref ref;

	while (!bpf_map_get_next_key(rig_map("tp_flows"), from, &key)) {
		from = &key;
		ref = find_ref(&key);
		state = state_slot(ref.slot);
		state.way[TP_OPENER].to.policy_gen = 0;
		state.way[TP_ANSWERER].to.policy_gen = 0;
		state.rule = 0;
		if (!with_next_hops) {
			forget_next_hop(&state.way[TP_OPENER].to);
			forget_next_hop(&state.way[TP_ANSWERER].to);
		}
		all = digest(digest(all, &key, sizeof(key)), &ref, sizeof(ref));
		all = digest(all, &state, sizeof(state));
	}
	return all;
}
