/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs left in their maps. */
#ifndef SELFTESTS_PACKET_STATE_H
#define SELFTESTS_PACKET_STATE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "packet.h"
#include "towpath/flow.h"
#include "towpath/policy.h"
#include "towpath/reason.h"
#include "towpath/stats.h"

/* Empties a hash map. */
void state_empty(const char *map);
/* Empties every map that programs write. */
void state_forget_flows(void);

/* Sums over all CPUs. */
void state_read_reasons(__u64 reasons[TP_REASON_COUNT]);
struct tp_flow_counter state_flow_counter(void);
struct tp_peer_counter state_peer_counter(uint32_t peer);
struct tp_counter state_route_counter(uint32_t route);
struct tp_counter state_rule_counter(uint64_t generation, uint32_t rule);

/* The key that a packet entering on that side has. */
struct tp_flow_key state_key(const struct packet *packet, enum family family,
			     const struct ports *ports, enum tp_side side);
/* The entry, when it is there and alive. */
bool state_find_flow(const struct tp_flow_key *key, struct tp_flow *flow);
void state_write_flow(const struct tp_flow_key *key, const struct tp_flow *flow);
struct tp_flow_state state_slot(uint32_t slot);
void state_write_slot(uint32_t slot, const struct tp_flow_state *state);
/* At the end of tp_dead_slots, where a program puts a slot that it marked. */
void state_queue_dead(uint32_t slot);
/* As if that much time had passed since whatever the programs remember. */
void state_pass_ms(uint32_t ms);
/* Marks the flow dead as of long ago: the next packet that wants a new one has it buried. */
void state_bury(const struct tp_flow_key *key);
/* Makes the next hop of every flow look as if it had been found two seconds ago. */
void state_make_stale(void);
/* Makes the flow look as if its last packet had passed that long ago. */
void state_age(const struct tp_flow_key *key, uint32_t seconds);

/* Of the datagram that the packet is a fragment of, met on that way (enum tp_frag_way). */
struct tp_frag_key state_frag_key(const struct packet *packet, enum family family, uint8_t way);
bool state_find_frag(const struct tp_frag_key *key, struct tp_frag *frag);
void state_write_frag(const struct tp_frag_key *key, const struct tp_frag *frag);

/*
 * The port that NAT chose for the packet's source, by the address it leaves with; 0 when there
 * is no mapping or its two halves do not agree.
 */
uint16_t state_nat_port(const struct packet *packet, enum family family, const char *outside);
/* That mapping, when its two halves agree. */
bool state_find_mapping(const struct packet *packet, enum family family, const char *outside,
			struct tp_nat_in_key *key, struct tp_nat_in *mapping);
bool state_read_mapping(const struct tp_nat_in_key *key, struct tp_nat_in *mapping);
void state_write_mapping(const struct tp_nat_in_key *key, const struct tp_nat_in *mapping);

/* Rows of nobody's, as many as tp_nat_out has room for. */
void state_fill_index(void);

size_t state_live_flows(void); /* slots in use; the programs' own count must agree */
/* Of all flows, but for what judged them. */
uint64_t state_digest(bool with_next_hops);
/* Fills the bucket that errors of our own come from, or empties it for good. */
void state_set_answers(bool none);
size_t state_count(const char *map); /* rows of a hash map */

#endif
