// SPDX-License-Identifier: GPL-2.0-only
/* Fragments that are refused: out of order, of nothing known, or made to deceive a filter. */
#include <sched.h>

#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

enum { FRAGMENT = 44 };
#define TWICE        EXT(FRAGMENT, "\x2c\0\0\1\0\0\x12\x34\x11\0\0\1\0\0\x12\x34")
#define TWICE_ATOMIC EXT(FRAGMENT, "\x2c\0\0\0\0\0\x12\x34\x11\0\0\1\0\0\x12\x34")

/* Behind a fragment header at 48: options that would be far too long, were they any. */
#define UNKNOWN_OPTIONS "\x3c\0\0\x30\0\0\x12\x35\x11\xff\1\4\0\0\0\0"

#define KNOWN_OPTIONS "\x3c\0\0\x30\0\0\x12\x34\x11\xff\1\4\0\0\0\0"

/* The offset patched to the largest there is. */
#define AT_THE_END4 .patch = { PATCH(6, 0x1f), PATCH(7, 0xff) }
#define AT_THE_END6 .patch = { PATCH(42, 0xff), PATCH(43, 0xf8) }

#define DNS_ONLY                                                                                \
	POLICY(MASQUERADE,                                                                      \
	       GRANT("phone", "192.0.2.0/24", "udp:53") ", " GRANT("phone", "2001:db8:30::/64", \
								   "udp:53"),                   \
	       "")

/* A first fragment to port 53, and how it goes on with the sender's port kept. */
#define OPENING                                                                          \
	{                                                                                \
		FROM_TUNNEL, udp("phone", 20000, "host", 53, FIRST),                     \
			resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63, FIRST)), \
			.flows = 1                                                       \
	}

static const struct row rows[] = {
	{ .name = "what_comes_before_its_first_one_is_refused",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE), drops(frag_unknown) },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST), drops(frag_unknown) },
		  OPENING,
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63, MIDDLE)),
		    .flows = 1 },
	  } },
	{ .name = "an_open_flow_does_not_let_unknown_fragments_through",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST), drops(frag_unknown),
		    .flows = 1 },
	  } },
	{ .name = "the_rest_of_a_refused_first_one_is_refused",
	  .policy = DNS_ONLY,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 54, FIRST), drops(acl) },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 54, MIDDLE), drops(frag_unknown) },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 54, LAST), drops(frag_unknown) },
	  } },
	/* 53 is what stands in the payload where a first fragment has its ports */
	{ .name = "payload_is_never_taken_for_ports",
	  .policy = DNS_ONLY,
	  .steps = {
		  OPENING,
		  { FROM_TUNNEL,
		    udp("phone", 20000, "host", 54, .payload = "12345678901234567890\1\1\0\x35",
			.payload_size = 96, .id = 2, PIECE(24, 48)),
		    drops(frag_unknown), .flows = 1 },
	  } },
	{ .name = "an_identification_is_of_two_addresses",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENING,
		  { FROM_TUNNEL, udp("tablet", 20000, "host", 53, LAST), drops(frag_unknown),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host2", 53, LAST), drops(frag_unknown),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, .id = 2, LAST),
		    drops(frag_unknown), .flows = 1 },
		  { FROM_LAN, udp("phone", 20000, "host", 53, LAST), drops(spoof), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000, LAST), passes(not_ours),
		    .flows = 1 },
	  } },
	{ .name = "an_identification_is_of_one_protocol",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  OPENING,
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 53, LAST), drops(frag_unknown),
		    .flows = 1 },
		  { FROM_TUNNEL, ping("phone", "host", 20000, LAST), drops(frag_unknown),
		    .flows = 1 },
	  } },
	{ .name = "a_reused_identification_is_of_its_newest_first_one",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENING,
		  { FROM_TUNNEL, udp("phone", 20001, "host", 53, LONG, PIECE(0, 96)),
		    resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63, LONG, PIECE(0, 96))),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE), drops(malformed),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 20001, "host", 53, LAST),
		    sends(LAN0, "host", udp("lan", 20001, "host", 53, .ttl = 63, LAST)),
		    .flows = 2 },
	  } },
	/* RFC 5722 */
	{ .name = "what_overlaps_the_first_one_is_refused",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENING,
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, PIECE(40, 96)),
		    drops(malformed), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, PIECE(16, 48)),
		    drops(malformed), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, PIECE(8, 48)),
		    drops(malformed), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, MIDDLE),
		    sends(LAN0, "host", udp("lan", 20000, "host", 53, .ttl = 63, MIDDLE)),
		    .flows = 1 },
	  } },
	{ .name = "what_overlaps_an_answers_first_one_is_refused",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000, FIRST),
		    tunnels(udp("host", 53, "phone", 20000, .ttl = 63, FIRST)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000, LONG, PIECE(40, 0)),
		    drops(malformed), .flows = 1 },
	  } },
	/* RFC 1858 3.1, RFC 3128: flags that a filter looks at, in the second fragment */
	{ .name = "tiny_first_ones_are_refused",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80, LONG, PIECE(0, 8)),
		    drops(malformed) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80, LONG, PIECE(8, 0)),
		    drops(malformed) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80, LONG, PIECE(0, 16)),
		    drops(malformed) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80, LONG, PIECE(16, 0)),
		    drops(frag_unknown) },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 80, LONG, PIECE(0, 8)),
		    drops(malformed) },
		  { FROM_TUNNEL, ping("phone", "host", 20000, LONG, PIECE(0, 8)),
		    drops(malformed) },
	  } },
	{ .name = "a_first_one_holds_all_tcp_options",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL,
		    tcp(SYN, "phone", 20000, "host", 80, TCP_OPTIONS("\1\1\1\1\1\1\1\1"), LONG,
			PIECE(0, 24)),
		    drops(malformed) },
		  { FROM_TUNNEL,
		    tcp(SYN, "phone", 20000, "host", 80, TCP_OPTIONS("\1\1\1\1\1\1\1\1"), LONG,
			PIECE(0, 32)),
		    resolves(LAN0,
			     tcp(SYN, "lan", 20000, "host", 80, .ttl = 63,
				 TCP_OPTIONS("\1\1\1\1\1\1\1\1"), LONG, PIECE(0, 32))),
		    .flows = 1 },
	  } },
	{ .name = "fragments_end_at_eight_bytes",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, PIECE(0, 47)),
		    drops(malformed) },
		  OPENING,
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, PIECE(48, 95)),
		    drops(malformed), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, PIECE(48, 48)),
		    drops(malformed), .flows = 1 },
	  } },
	/* "ping of death" */
	{ .name = "no_fragment_passes_the_longest_packet",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  OPENING,
		  { FROM_TUNNEL,
		    udp("phone", 20000, "host", 53, LAST, AT_THE_END4),
		    drops(malformed), .flows = 1 },
	  } },
	{ .name = "no_fragment_passes_the_longest_packet",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  OPENING,
		  { FROM_TUNNEL,
		    udp("phone", 20000, "host", 53, LAST,
			AT_THE_END6),
		    drops(malformed), .flows = 1 },
	  } },
	{ .name = "a_packet_is_a_fragment_once",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, TWICE),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, LONG, TWICE_ATOMIC),
		    drops(malformed) },
	  } },
	{ .name = "nothing_behind_a_later_fragments_header_is_walked",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, FIRST),
		    resolves(LAN0, udp("phone", 20000, "host", 53, .ttl = 63, FIRST)),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, EXT(FRAGMENT, UNKNOWN_OPTIONS)),
		    drops(frag_unknown), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, EXT(FRAGMENT, KNOWN_OPTIONS)),
		    sends(LAN0, "host",
			  udp("phone", 20000, "host", 53, .ttl = 63, EXT(FRAGMENT, KNOWN_OPTIONS))),
		    .flows = 1 },
	  } },
	{ .name = "a_header_chain_ends_in_the_first_one",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL,
		    ip(IPPROTO_UDP, "phone", "host", .payload_size = 8,
		       EXT(FRAGMENT, "\x3c\0\0\1\0\0\x12\x34\x3c\1\1\4\0\0\0\0")),
		    drops(malformed) },
	  } },
	{ .name = "fragments_of_others_pass_the_lan_untouched",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "elsewhere", 2, FIRST), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "elsewhere", 2, LAST), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "lan", 2, FIRST), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "lan", 2, LAST), passes(not_ours) },
		  { FROM_LAN, udp("host", 1, "lan", 2, LONG, PIECE(8, 48)), passes(not_ours) },
		  { FROM_LAN, tcp(SYN, "host", 1, "lan", 2, LONG, PIECE(0, 8)),
		    passes(not_ours) },
	  } },
	{ .name = "unknown_fragments_to_the_mesh_are_refused_on_the_lan",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "phone", 2, LAST), drops(frag_unknown) },
		  { FROM_LAN, udp("host", 1, "phone", 2, LONG, PIECE(8, 48)),
		    drops(malformed) },
		  { FROM_LAN, udp("phone", 1, "elsewhere", 2, FIRST), drops(spoof) },
		  { FROM_LAN, udp("phone", 1, "elsewhere", 2, LAST), drops(spoof) },
	  } },
	{ .name = "a_protocol_without_ports_is_not_translated_in_fragments",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, ip(47, "phone", "host", FIRST), drops(nat_proto) },
		  { FROM_TUNNEL, ip(47, "phone", "host", MIDDLE), drops(frag_unknown) },
		  { INTO_LAN_FROM_TUNNEL, ip(47, "phone", "host", .ttl = 63, FIRST),
		    drops(unjudged) },
		  { INTO_LAN_FROM_TUNNEL, ip(47, "phone", "host", .ttl = 63, MIDDLE),
		    drops(unjudged) },
	  } },
};
ROWS(rows)

static void stay_on_this_cpu(cpu_set_t *before)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	REQUIRE(!sched_getaffinity(0, sizeof(*before), before));
	REQUIRE(!sched_setaffinity(0, sizeof(here), &here));
}

/*
 * The oldest give way to new ones, which the table is never too full for. Each CPU keeps a few that
 * it made itself as long as it makes no others: hence all on one.
 */
static void gives_way(enum family family)
{
	static const struct step first = OPENING;
	static const struct step rest = { FROM_TUNNEL, udp("phone", 20000, "host", 53, LAST),
					  drops(frag_unknown), .flows = 1 };
	/* filling the table may take a second, after which a known flow is looked at again */
	static const struct step next = {
		FROM_TUNNEL, udp("phone", 20001, "host", 53, FIRST),
		resolves(LAN0, udp("lan", 20001, "host", 53, .ttl = 63, FIRST)), .flows = 2
	};
	static const struct step next_rest = {
		FROM_TUNNEL, udp("phone", 20001, "host", 53, LAST),
		sends(LAN0, "host", udp("lan", 20001, "host", 53, .ttl = 63, LAST)), .flows = 2
	};
	struct packet other = { .proto = IPPROTO_UDP, .src = "tablet", .dst = "host" };
	struct tp_frag_key key;
	struct tp_frag frag = {};
	struct ports none = {};
	cpu_set_t cpus;
	uint32_t i;

	stay_on_this_cpu(&cpus);
	row_start(OPEN_MASQ, family);
	row_step(&first, family, &none);
	key = state_frag_key(&other, family, TP_SIDE_TUNNEL);
	for (i = 0; i < 2 * TP_FRAG_MAX; i++) {
		key.id = htonl(0x10000 + i);
		state_write_frag(&key, &frag);
	}
	CHECK(state_count("tp_frags") <= TP_FRAG_MAX);
	row_step(&rest, family, &none);
	row_step(&next, family, &none);
	row_step(&next_rest, family, &none);
	CHECK(!sched_setaffinity(0, sizeof(cpus), &cpus));
}

TEST(the_oldest_fragments_give_way_v4)
{
	gives_way(V4);
}

TEST(the_oldest_fragments_give_way_v6)
{
	gives_way(V6);
}
