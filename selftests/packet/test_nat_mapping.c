// SPDX-License-Identifier: GPL-2.0-only
/* Mappings as such: known by their ids, counted by the flows that hold them. */
#include <string.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

static struct ports none;

static const struct step first = { FROM_TUNNEL, udp("phone", 20000, "host", 53),
				   resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)),
				   .flows = 1 };

static struct tp_nat_in mapping_of(enum family family, struct tp_nat_in_key *key)
{
	struct tp_nat_in mapping = {};

	CHECK(state_find_mapping(&first.in, family, "lan", key, &mapping));
	return mapping;
}

/*
 * As if the row of tp_nat_in had become another mapping's after the index was read: nobody counts
 * on it, and the inside port gets a mapping of its own.
 */
static void check_other_id(enum family family)
{
	struct step second = { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
			       resolves(LAN0, udp("lan", PORT_A, "host2", 53, .ttl = 63)),
			       .flows = 2 };
	struct tp_flow_key flow = state_key(&first.in, family, &none, TP_SIDE_TUNNEL);
	struct tp_nat_in_key key, key_now;
	struct tp_nat_in mapping, now;
	struct ports ports = {};

	row_start(OPEN_MASQ, family);
	row_step(&first, family, &none);
	mapping = mapping_of(family, &key);
	mapping.users += 1000ULL << 32;
	state_write_mapping(&key, &mapping);

	row_step(&second, family, &ports);
	CHECK(ports.chosen[0] != 20000);
	CHECK_INT(state_count("tp_nat_in"), 2);
	CHECK(state_read_mapping(&key, &now));
	CHECK_INT(now.users, mapping.users);

	/* and the end of its flow is not counted against the other mapping */
	state_bury(&flow);
	second.in.dport = 54;
	second.then.out.dport = 54;
	row_step(&second, family, &ports);
	CHECK(state_read_mapping(&key, &now));
	CHECK_INT(now.users, mapping.users);
	now = mapping_of(family, &key_now);
	CHECK_INT(ntohs(key_now.port), ports.chosen[0]);
	CHECK_INT(now.users & TP_NAT_FLOWS, 2);
}

TEST(a_mapping_is_known_by_its_id)
{
	check_other_id(V4);
	check_other_id(V6);
}

/* As between the last flow's end and the deletion on another CPU. */
static void check_dead(enum family family)
{
	struct step second = { FROM_TUNNEL, udp("phone", 20000, "host2", 53),
			       resolves(LAN0, udp("lan", PORT_A, "host2", 53, .ttl = 63)),
			       .flows = 2 };
	struct tp_nat_in_key key;
	struct tp_nat_in mapping;
	struct ports ports = {};

	row_start(OPEN_MASQ, family);
	row_step(&first, family, &none);
	mapping = mapping_of(family, &key);
	mapping.users |= TP_NAT_DEAD;
	state_write_mapping(&key, &mapping);
	row_step(&second, family, &ports);
	CHECK(ports.chosen[0] != 20000);
}

TEST(nobody_joins_a_dead_mapping)
{
	check_dead(V4);
	check_dead(V6);
}

static void check_ids(enum family family)
{
	static const struct step other = { FROM_TUNNEL, udp("tablet", 20001, "host", 53),
					   resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63)),
					   .flows = 2 };
	struct tp_nat_in_key key;
	struct tp_nat_in a, b;

	row_start(OPEN_MASQ, family);
	row_step(&first, family, &none);
	a = mapping_of(family, &key);
	row_step(&other, family, &none);
	CHECK(state_find_mapping(&other.in, family, "lan", &key, &b));
	CHECK_INT(a.users & ~(~0ULL << 32), 1);
	CHECK_INT(b.users & ~(~0ULL << 32), 1);
	CHECK_INT((b.users >> 32) - (a.users >> 32), 1);
}

TEST(each_mapping_has_an_id_of_its_own)
{
	check_ids(V4);
	check_ids(V6);
}

/* Without a row in the index the inside's next flow would get another port (RFC 4787 REQ-1). */
static void check_full_index(enum family family)
{
	struct step refused = { FROM_TUNNEL, udp("tablet", 20001, "host", 53), drops(nat_full),
				.flows = 1 };

	row_start(OPEN_MASQ, family);
	row_step(&first, family, &none);
	state_fill_index();
	row_step(&refused, family, &none);
	CHECK_INT(state_count("tp_nat_in"), 1);
}

TEST(no_mapping_without_room_in_the_index)
{
	check_full_index(V4);
	check_full_index(V6);
}
