// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors that the programs send themselves: about answers to a SNAT mapping that go no further.
 * They quote what the sender sent, from the address that it was sent to.
 */
#include <unistd.h>

#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

/* The tunnel has an MTU of 1420; DF only says something in IPv4. */
#define TO_MAPPING(...) udp("host", 53, "lan", 20000, .frag = DF, ##__VA_ARGS__)
#define UDP_LARGE       .payload_size = 1400 /* 1428 or 1448 bytes */
/* Not by way of error(), whose first argument would be torn apart at its commas here. */
#define about(what, quoted, ...)                         \
	answers({ .proto = IPPROTO_ICMP,                 \
		  what,                                  \
		  .src = "lan",                          \
		  .dst = "host",                         \
		  .quote = &(const struct packet)quoted, \
		  .quote_fits = true,                    \
		  .tos = 0xc0,                           \
		  .frag = DF,                            \
		  .no_id = true,                         \
		  ##__VA_ARGS__ })
#define OPENED                                                                               \
	{                                                                                    \
		FROM_TUNNEL, udp("phone", 20000, "host", 53),                                \
			resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 \
	}

static void no_more_answers(void)
{
	state_set_answers(true);
}

static void answers_again(void)
{
	state_set_answers(false);
}

static const struct row rows[] = {
	{ .name = "tells_that_a_packet_is_too_big_for_the_tunnel",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(UDP_LARGE),
		    about(TOO_BIG(1420), TO_MAPPING(UDP_LARGE)), .flows = 1 },
		  { FROM_LAN, TO_MAPPING(UDP_LARGE, .tos = 0xbb, .trailer = 6),
		    about(TOO_BIG(1420), TO_MAPPING(UDP_LARGE, .tos = 0xbb)), .flows = 1 },
	  } },
	{ .name = "what_follows_an_answered_first_fragment_is_not_let_through",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN, udp("host", 53, "lan", 20000, .ttl = 1, FIRST),
		    about(TIME_EXCEEDED, udp("host", 53, "lan", 20000, .ttl = 1, FIRST)),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000, LAST), passes(not_ours), .flows = 1 },
	  } },
	{ .name = "tells_that_the_ttl_is_used_up",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(.ttl = 1), about(TIME_EXCEEDED, TO_MAPPING(.ttl = 1)),
		    .flows = 1 },
		  { FROM_LAN, TO_MAPPING(.ttl = 1, .payload = "odd"),
		    about(TIME_EXCEEDED, TO_MAPPING(.ttl = 1, .payload = "odd")), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "lan", 20000, .ttl = 1),
		    about(TIME_EXCEEDED, udp("host", 53, "lan", 20000, .ttl = 1)), .flows = 1 },
		  { FROM_LAN, TO_MAPPING(UDP_LARGE, .ttl = 1),
		    about(TIME_EXCEEDED, TO_MAPPING(UDP_LARGE, .ttl = 1)), .flows = 1 },
		  { FROM_LAN, TO_MAPPING(.ttl = TTL_ZERO), drops(malformed), .flows = 1 },
	  } },
	{ .name = "a_small_frame_is_quoted_without_its_padding",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(.ttl = 1, .trailer = 18),
		    about(TIME_EXCEEDED, TO_MAPPING(.ttl = 1)), .flows = 1 },
	  } },
	{ .name = "answers_tcp_and_echoes_too",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 80),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, ping("phone", "host", 20000),
		    resolves(LAN0, ping("lan", "host", 20000, .ttl = 63)), .flows = 2 },
		  { FROM_LAN, tcp(ACK, "host", 80, "lan", 20000, .frag = DF, UDP_LARGE),
		    about(TOO_BIG(1420), tcp(ACK, "host", 80, "lan", 20000, .frag = DF, UDP_LARGE)),
		    .flows = 2 },
		  { FROM_LAN, tcp(ACK, "host", 80, "lan", 20000, .ttl = 1),
		    about(TIME_EXCEEDED, tcp(ACK, "host", 80, "lan", 20000, .ttl = 1)),
		    .flows = 2 },
		  { FROM_LAN, pong("host", "lan", 20000, .frag = DF, UDP_LARGE),
		    about(TOO_BIG(1420), pong("host", "lan", 20000, .frag = DF, UDP_LARGE)),
		    .flows = 2 },
		  { FROM_LAN, pong("host", "lan", 20000, .ttl = 1),
		    about(TIME_EXCEEDED, pong("host", "lan", 20000, .ttl = 1)), .flows = 2 },
	  } },
	{ .name = "what_just_fits_passes",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(.payload_size = 1392),
		    tunnels(udp("host", 53, "phone", 20000, .frag = DF, .payload_size = 1392,
				.ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, TO_MAPPING(.payload_size = 1393),
		    about(TOO_BIG(1420), TO_MAPPING(.payload_size = 1393)), .flows = 1 },
		  /* and what may be split is split by the stack */
		  { FROM_LAN, udp("host", 53, "lan", 20000, .payload_size = 1393),
		    passes_as(too_big, udp("host", 53, "phone", 20000, .payload_size = 1393)),
		    .flows = 1 },
	  } },
	{ .name = "what_just_fits_passes_in_ipv6",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(.payload_size = 1372),
		    tunnels(udp("host", 53, "phone", 20000, .payload_size = 1372, .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, TO_MAPPING(.payload_size = 1373),
		    about(TOO_BIG(1420), TO_MAPPING(.payload_size = 1373)), .flows = 1 },
	  } },
	{ .name = "a_member_may_have_a_smaller_mtu",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, udp("tablet", 20000, "host", 53),
		    resolves(LAN0, udp("lan", 20000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, TO_MAPPING(.payload_size = 1280),
		    about(TOO_BIG(1300), TO_MAPPING(.payload_size = 1280)), .flows = 1 },
		  { FROM_LAN, TO_MAPPING(.payload_size = 1250),
		    tunnels(udp("host", 53, "tablet", 20000, .frag = DF, .payload_size = 1250,
				.ttl = 63)),
		    .flows = 1 },
	  } },
	/* its segments were made to fit */
	{ .name = "a_super_packet_is_not_too_big",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(UDP_LARGE),
		    tunnels(udp("host", 53, "phone", 20000, .frag = DF, UDP_LARGE, .ttl = 63)),
		    .flows = 1, .gso_size = 700 },
	  } },
	{ .name = "options_do_not_keep_from_an_answer",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(.ttl = 1, V4_OPTIONS("\1\1\1\0")),
		    about(TIME_EXCEEDED, TO_MAPPING(.ttl = 1, V4_OPTIONS("\1\1\1\0"))),
		    .flows = 1 },
		  { FROM_LAN, TO_MAPPING(UDP_LARGE, V4_OPTIONS("\1\1\1\0")),
		    about(TOO_BIG(1420), TO_MAPPING(UDP_LARGE, V4_OPTIONS("\1\1\1\0"))),
		    .flows = 1 },
	  } },
	{ .name = "extension_headers_do_not_either",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(.ttl = 1, EXT(60, "\x11\0\1\4\0\0\0\0")),
		    about(TIME_EXCEEDED, TO_MAPPING(.ttl = 1, EXT(60, "\x11\0\1\4\0\0\0\0"))),
		    .flows = 1 },
	  } },
	{ .name = "no_answer_is_about_an_error",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN,
		    error(TOO_BIG(1300), "host", "lan",
			  udp("lan", 20000, "host", 53, .payload_size = 1400)),
		    drops(unanswered), .flows = 1 },
	  } },
	{ .name = "no_answer_goes_to_whoever_asked_as_a_group",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN_AS_BROADCAST, TO_MAPPING(.ttl = 1), passes(local_scope), .flows = 1 },
		  { FROM_LAN_AS_OTHER, TO_MAPPING(.ttl = 1), passes(other_host), .flows = 1 },
	  } },
	{ .name = "the_stack_answers_where_it_sees_what_was_sent",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, .ttl = 1), passes(ttl_exceeded),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 20000, "host", 53, .frag = DF, .payload_size = 1500),
		    passes(too_big), .flows = 1 },
	  } },
	{ .name = "the_stack_answers_without_snat",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5000, "host", 53),
		    resolves(LAN0, udp("phone", 5000, "host", 53, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, udp("host", 53, "phone", 5000, .ttl = 1), passes(ttl_exceeded),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 53, "phone", 5000, .frag = DF, UDP_LARGE),
		    passes(too_big), .flows = 1 },
	  } },
	{ .name = "answers_are_limited",
	  .policy = OPEN_MASQ,
	  .steps = {
		  OPENED,
		  { FROM_LAN, TO_MAPPING(.ttl = 1), drops(answer_limit), .flows = 1,
		    .before = no_more_answers },
		  { FROM_LAN, TO_MAPPING(UDP_LARGE), drops(answer_limit), .flows = 1 },
		  { FROM_LAN, TO_MAPPING(.ttl = 1), about(TIME_EXCEEDED, TO_MAPPING(.ttl = 1)),
		    .flows = 1, .before = answers_again },
	  } },
};
ROWS(rows)

/* ---- the limit's numbers ------------------------------------------------------------------- */

/* More in a row than the burst, in less time than the rate would need to give as many again. */
TEST(no_more_than_a_burst_and_the_rate)
{
	struct packet opener = udp("phone", 20000, "host", 53), late = TO_MAPPING(.ttl = 1);
	struct ports none = {};
	uint8_t frame[FRAME_MAX];
	int answered = 0, limited = 0, i;
	uint64_t began, ms;

	row_start(OPEN_MASQ, V4);
	rig_run(FROM_TUNNEL, frame, row_frame(FROM_TUNNEL, &opener, V4, &none, frame),
		&(struct run){});
	began = rig_jiffies();
	for (i = 0; i < 2000; i++) {
		struct run run = {};

		rig_run(FROM_LAN, frame, row_frame(FROM_LAN, &late, V4, &none, frame), &run);
		answered += (int)run.reasons[TP_R_answered];
		limited += (int)run.reasons[TP_R_answer_limit];
	}
	ms = (rig_jiffies() - began + 1) * 1000 / rig_hz();
	CHECK_INT(answered + limited, 2000);
	CHECK(answered >= 50);
	/* a bucket for each CPU that this test was moved to */
	CHECK((uint64_t)answered <= (50 + ms) * (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
}

/* ---- a checksum that the sender left to its device ------------------------------------------ */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The sum over the pseudo header of the IP packet. */
static uint32_t sum_pseudo(const uint8_t *ip, enum family family, size_t l4_length)
{
	const uint8_t *addrs = ip + (family == V4 ? 12 : 8);
	uint8_t proto = ip[family == V4 ? 9 : 6];

	return packet_sum(addrs, family == V4 ? 8 : 32, proto + (uint32_t)l4_length);
}

/*
 * The kernel may still fill the field in: over what begins at the quoted transport header, and
 * ends where the packet ends. The error's own checksum must be right before and after.
 */
static void check_quote(uint8_t *ip, size_t size, enum family family, size_t check_at)
{
	size_t header = family == V4 ? 20 : 40;
	uint8_t *icmp = ip + header, *l4 = icmp + 8 + header;
	uint32_t pseudo = family == V6 ? sum_pseudo(ip, V6, size - header) : 0;
	uint16_t filled;

	CHECK_INT(packet_checksum(packet_sum(icmp, size - header, pseudo)), 0);
	filled = packet_checksum(packet_sum(l4, size - (size_t)(l4 - ip), 0));
	CHECK(filled % 0xffff == get16(l4 + check_at) % 0xffff);
	set16(l4 + check_at, filled ? filled : 0xffff);
	CHECK_INT(packet_checksum(packet_sum(icmp, size - header, pseudo)), 0);
}

static void check_unfinished(struct packet packet, enum family family)
{
	size_t header = family == V4 ? 20 : 40, check_at = packet.proto == IPPROTO_TCP ? 16 : 6;
	struct ports none = {};
	uint8_t frame[FRAME_MAX], *ip = frame + ETHERNET;
	size_t size = row_frame(FROM_LAN, &packet, family, &none, frame);
	size_t l4_length = size - ETHERNET - header;
	struct run run = {};

	set16(ip + header + check_at,
	      (uint16_t)~packet_checksum(sum_pseudo(ip, family, l4_length)));
	rig_run(FROM_LAN, frame, size, &run);
	CHECK_INT(run.reasons[TP_R_answered], 1);
	check_quote(run.out + ETHERNET, run.out_size - ETHERNET, family, check_at);
}

static void check_unfinished_family(enum family family)
{
	struct packet udp_opener = udp("phone", 20000, "host", 53);
	struct packet tcp_opener = tcp(SYN, "phone", 20000, "host", 53);
	struct ports none = {};
	uint8_t frame[FRAME_MAX];

	row_start(OPEN_MASQ, family);
	rig_run(FROM_TUNNEL, frame, row_frame(FROM_TUNNEL, &udp_opener, family, &none, frame),
		&(struct run){});
	rig_run(FROM_TUNNEL, frame, row_frame(FROM_TUNNEL, &tcp_opener, family, &none, frame),
		&(struct run){});
	check_unfinished((struct packet)TO_MAPPING(.ttl = 1, .payload = "odd"), family);
	check_unfinished((struct packet)TO_MAPPING(UDP_LARGE), family);
	check_unfinished((struct packet)tcp(ACK, "host", 53, "lan", 20000, .ttl = 1), family);
	check_unfinished((struct packet)tcp(ACK, "host", 53, "lan", 20000, .frag = DF, UDP_LARGE),
			 family);
}

TEST(an_unfinished_checksum_in_the_quote_does_no_harm)
{
	check_unfinished_family(V4);
	check_unfinished_family(V6);
}
