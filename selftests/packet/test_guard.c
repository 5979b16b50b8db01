// SPDX-License-Identifier: GPL-2.0-only
/* In front of the tunnel's UDP port: WireGuard messages pass, and initiations at a rate. */
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define PORT           51820 /* default of tunnel.listen_port */
#define WG(type, size) .payload = (type), .payload_size = (size)
#define INITIATION     WG("\1", 148)

/* To the port, from the host. */
#define TO_PORT(...) udp("host", 40000, "lan", PORT, __VA_ARGS__)
#define PASSED_ON(...)                                        \
	{                                                     \
		FROM_WIRE, TO_PORT(__VA_ARGS__), passes(none) \
	}
#define REFUSED(...)                                                 \
	{                                                            \
		FROM_WIRE, TO_PORT(__VA_ARGS__), drops(wg_malformed) \
	}

/* From this machine's WireGuard to the host. */
#define FROM_PORT(...) udp("lan", PORT, "host", 40000, __VA_ARGS__)
#define SENT_OUT(hook, ...)                         \
	{                                           \
		hook, __VA_ARGS__, passes(not_ours) \
	}
#define RESPONSE WG("\2", 92)

/* The one bucket of a map, whose keys are no longer than an endpoint. */
static void set_bucket(const char *map, uint64_t full)
{
	struct tp_endpoint key;

	if (CHECK(!bpf_map_get_next_key(rig_map(map), NULL, &key)))
		CHECK(!bpf_map_update_elem(rig_map(map), &key, &full, BPF_EXIST));
}

/* It is full: nobody has come for a while. */
static void all_are_back(void)
{
	set_bucket("tp_guard", 0);
}

/* All tokens are gone, and none comes while the test looks. */
static void none_is_left(void)
{
	set_bucket("tp_guard", rig_jiffies() + 100 * rig_hz());
}

static void none_is_left_of_known(void)
{
	set_bucket("tp_guard_known", rig_jiffies() + 100 * rig_hz());
}

static void all_are_back_of_known(void)
{
	set_bucket("tp_guard_known", 0);
}

/* Beside the one that was just taken, two more of five. */
static void some_are_left(void)
{
	int fd = rig_map("tp_guard");
	struct tp_addr source;
	__u64 full;

	if (!CHECK(!bpf_map_get_next_key(fd, NULL, &source)))
		return;
	CHECK(!bpf_map_lookup_elem(fd, &source, &full));
	full += rig_hz() / 20 * 2;
	CHECK(!bpf_map_update_elem(fd, &source, &full, BPF_EXIST));
}

static const struct row rows[] = {
	{ .name = "the_four_messages_pass",
	  .policy = OPEN_ROUTED,
	  .steps = { PASSED_ON(INITIATION), PASSED_ON(WG("\2", 92)), PASSED_ON(WG("\3", 64)),
		     PASSED_ON(WG("\4", 32)), PASSED_ON(WG("\4", 48)),
		     PASSED_ON(WG("\4", 1440)) } },
	/* 1420 bytes, the default MTU, are not padded to 1424 */
	{ .name = "data_is_padded_up_to_the_mtu_only",
	  .policy = OPEN_ROUTED,
	  .steps = { PASSED_ON(WG("\4", 1420 + 32)), PASSED_ON(WG("\4", 33)) } },
	{ .name = "a_wrong_length_is_refused",
	  .policy = OPEN_ROUTED,
	  .steps = { REFUSED(WG("\1", 147)), REFUSED(WG("\1", 149)), REFUSED(WG("\2", 91)),
		     REFUSED(WG("\2", 148)), REFUSED(WG("\3", 63)), REFUSED(WG("\3", 80)),
		     REFUSED(WG("\4", 16)), REFUSED(WG("\4", 31)) } },
	{ .name = "a_wrong_type_is_refused",
	  .policy = OPEN_ROUTED,
	  .steps = { REFUSED(WG("", 148)), REFUSED(WG("\5", 64)), REFUSED(WG("\xff", 32)),
		     REFUSED(WG("GET / HTTP/1.1", 64)) } },
	{ .name = "reserved_bytes_are_zero",
	  .policy = OPEN_ROUTED,
	  .steps = { REFUSED(WG("\4\1", 32)), REFUSED(WG("\1\1\1\1", 148)) } },
	{ .name = "what_is_too_short_for_a_type_is_refused",
	  .policy = OPEN_ROUTED,
	  .steps = { REFUSED(WG("\1", 1)), REFUSED(WG("\1", 3)), REFUSED(.payload = "") } },
	/* the length is that of the datagram, not of the frame */
	{ .name = "padding_of_the_link_does_not_count",
	  .policy = OPEN_ROUTED,
	  .steps = { PASSED_ON(WG("\4", 32), .trailer = 7), PASSED_ON(INITIATION, .trailer = 1),
		     REFUSED(WG("\4", 16), .trailer = 16) } },
	{ .name = "other_ports_and_protocols_are_not_guarded",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "lan", PORT + 1), passes(none) },
		  { FROM_WIRE, udp("host", PORT, "lan", 1), passes(none) },
		  { FROM_WIRE, tcp(SYN, "host", 1, "lan", PORT), passes(none) },
	  } },
	/* somebody else's WireGuard, or whatever it is, behind this router */
	{ .name = "what_is_forwarded_is_not_guarded",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "elsewhere", PORT), passes(none) },
		  { FROM_WIRE, udp("host", 1, "beyond", PORT), passes(none) },
		  { FROM_WIRE, udp("host", 1, "phone", PORT), passes(none) },
		  { FROM_WIRE_AS_OTHER, TO_PORT(WG("\5", 64)), passes(none) },
	  } },
	{ .name = "every_address_of_the_machine_is_guarded",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "lan1", PORT), drops(wg_malformed) },
		  { FROM_WIRE1, udp("beyond", 1, "lan", PORT), drops(wg_malformed) },
		  { FROM_WIRE1, udp("beyond", 1, "lan1", PORT), drops(wg_malformed) },
		  { FROM_WIRE, udp("elsewhere", 1, "lan", PORT), drops(wg_malformed) },
	  } },
	{ .name = "fragments_to_the_port_pass",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = { PASSED_ON(.frag = 0x2000), PASSED_ON(.frag = 0x0010) } },
	{ .name = "fragments_to_the_port_pass",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = { PASSED_ON(.payload_size = 96, PIECE(0, 48)),
		     PASSED_ON(.payload_size = 96, PIECE(48, 0)) } },
	{ .name = "a_spoofed_mesh_source_is_no_message",
	  .policy = OPEN_ROUTED,
	  .steps = { { FROM_WIRE, udp("phone", 1, "lan", PORT, WG("\4", 32)), drops(spoof) } } },
	{ .name = "initiations_of_a_source_are_limited",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  PASSED_ON(INITIATION),
		  { FROM_WIRE, TO_PORT(INITIATION), drops(wg_limited), .before = none_is_left },
		  /* from another port of the same source too */
		  { FROM_WIRE, udp("host", 1, "lan", PORT, INITIATION), drops(wg_limited) },
		  /* but nothing else of it */
		  PASSED_ON(WG("\2", 92)),
		  PASSED_ON(WG("\3", 64)),
		  PASSED_ON(WG("\4", 32)),
		  /* and nobody else */
		  { FROM_WIRE, udp("router", 40000, "elsewhere", 1), passes(none) },
		  { FROM_WIRE, udp("elsewhere", 40000, "lan", PORT, INITIATION), passes(none) },
	  } },
	{ .name = "an_initiation_passes_when_there_is_a_token",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  PASSED_ON(INITIATION),
		  { FROM_WIRE, TO_PORT(INITIATION), passes(none), .before = some_are_left },
		  { FROM_WIRE, TO_PORT(INITIATION), drops(wg_limited), .before = none_is_left },
		  { FROM_WIRE, TO_PORT(INITIATION), passes(none), .before = all_are_back },
	  } },
	{ .name = "what_is_malformed_takes_no_token",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  REFUSED(WG("\1", 147)), REFUSED(WG("\1", 147)), REFUSED(WG("\1", 147)),
		  REFUSED(WG("\1", 147)), REFUSED(WG("\1", 147)), REFUSED(WG("\1", 147)),
		  REFUSED(WG("\1", 147)), PASSED_ON(INITIATION),
	  } },
	/* of a neighbour behind the same NAT, or of nobody at all */
	{ .name = "a_flood_from_its_address_does_not_hurt_a_known_endpoint",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  SENT_OUT(INTO_LAN_OWN, FROM_PORT(RESPONSE)),
		  { FROM_WIRE, udp("host", 1, "lan", PORT, INITIATION), passes(none) },
		  { FROM_WIRE, udp("host", 1, "lan", PORT, INITIATION), drops(wg_limited),
		    .before = none_is_left },
		  PASSED_ON(INITIATION),
		  { FROM_WIRE, udp("host", 1, "lan", PORT, INITIATION), drops(wg_limited) },
	  } },
	{ .name = "a_known_endpoint_is_limited_too",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  SENT_OUT(INTO_LAN_OWN, FROM_PORT(RESPONSE)),
		  PASSED_ON(INITIATION),
		  { FROM_WIRE, TO_PORT(INITIATION), drops(wg_limited),
		    .before = none_is_left_of_known },
		  /* more of the same that it is sent does not help it */
		  SENT_OUT(INTO_LAN_OWN, FROM_PORT(RESPONSE)),
		  { FROM_WIRE, TO_PORT(INITIATION), drops(wg_limited) },
		  /* nor does it take others with it */
		  { FROM_WIRE, udp("host", 1, "lan", PORT, INITIATION), passes(none) },
		  { FROM_WIRE, TO_PORT(INITIATION), passes(none),
		    .before = all_are_back_of_known },
	  } },
	{ .name = "whom_this_machine_calls_is_known",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  SENT_OUT(INTO_LAN_OWN, FROM_PORT(INITIATION)),
		  { FROM_WIRE, udp("host", 1, "lan", PORT, INITIATION), passes(none) },
		  { FROM_WIRE, TO_PORT(INITIATION), passes(none), .before = none_is_left },
	  } },
};
ROWS(rows)

/* None of it is sent to somebody whom WireGuard has authenticated, or by WireGuard at all. */
static const struct step unknown[] = {
	SENT_OUT(INTO_LAN_OWN, FROM_PORT(WG("\3", 64))),
	SENT_OUT(INTO_LAN_OWN, FROM_PORT(WG("\4", 32))),
	SENT_OUT(INTO_LAN_OWN, FROM_PORT(WG("\2", 91))),
	SENT_OUT(INTO_LAN_OWN, FROM_PORT(WG("\1", 92))),
	SENT_OUT(INTO_LAN_OWN, FROM_PORT(WG("\2\1", 92))),
	SENT_OUT(INTO_LAN_OWN, FROM_PORT(WG("\2", 1))),
	SENT_OUT(INTO_LAN_OWN, udp("lan", PORT + 1, "host", 40000, RESPONSE)),
	SENT_OUT(INTO_LAN_OWN, tcp(ACK, "lan", PORT, "host", 40000, RESPONSE)),
	SENT_OUT(INTO_LAN_FROM_OTHER, FROM_PORT(RESPONSE)),
	SENT_OUT(INTO_LAN_FROM_OTHER, udp("away", PORT, "host", 40000, RESPONSE)),
};

static void check_unknown(enum family family)
{
	struct ports none = {};
	size_t i;

	row_start(OPEN_ROUTED, family);
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		row_step(&unknown[i], family, &none);
		CHECK_INT(state_count("tp_guard_known"), 0);
	}
}

TEST(nothing_else_makes_an_endpoint_known)
{
	check_unknown(V4);
	check_unknown(V6);
}

TEST(an_endpoint_is_an_address_and_a_port)
{
	static const struct step steps[] = {
		SENT_OUT(INTO_LAN_OWN, FROM_PORT(RESPONSE)),
		SENT_OUT(INTO_LAN_OWN, FROM_PORT(INITIATION)),
		SENT_OUT(INTO_LAN_OWN, udp("lan", PORT, "host", 40001, RESPONSE)),
		SENT_OUT(INTO_LAN_OWN, udp("lan", PORT, "host2", 40000, RESPONSE)),
	};
	static const size_t known[] = { 1, 1, 2, 3 };
	struct ports none = {};
	size_t i;

	row_start(OPEN_ROUTED, V4);
	for (i = 0; i < 2 * sizeof(steps) / sizeof(steps[0]); i++) {
		row_step(&steps[i % 4], i / 4 ? V6 : V4, &none);
		CHECK_INT(state_count("tp_guard_known"), known[i % 4] + i / 4 * 3);
	}
}

static int initiation(enum family family, const char *src)
{
	const struct packet packet = udp(src, 40000, "lan", PORT, INITIATION);
	const struct ports none = {};
	struct run run = {};
	uint8_t frame[FRAME_MAX];
	size_t size = row_frame(FROM_WIRE, &packet, family, &none, frame);

	rig_run(FROM_WIRE, frame, size, &run);
	return run.retval;
}

/* Five at once and 20 a second: a hundred within the blink of a test are far more. */
static void check_burst(enum family family, const char *src)
{
	int passed = 0, i;

	for (i = 0; i < 5; i++)
		CHECK_INT(initiation(family, src), XDP_PASS);
	for (i = 0; i < 100; i++)
		passed += initiation(family, src) == XDP_PASS;
	CHECK(passed < 100);
}

TEST(a_burst_is_five)
{
	rig_start(OPEN_ROUTED);
	check_burst(V4, "host");
	check_burst(V6, "host");
}

/* Who has one IPv6 address has its whole /64, but IPv4 neighbours are others. */
TEST(a_source_is_an_ipv4_address_or_an_ipv6_64)
{
	rig_start(OPEN_ROUTED);
	CHECK_INT(initiation(V6, "2001:db8:99::1"), XDP_PASS);
	CHECK_INT(initiation(V6, "2001:db8:99::1:2:3"), XDP_PASS);
	CHECK_INT(state_count("tp_guard"), 1);
	CHECK_INT(initiation(V6, "2001:db8:99:1::1"), XDP_PASS);
	CHECK_INT(state_count("tp_guard"), 2);
	CHECK_INT(initiation(V4, "198.18.0.1"), XDP_PASS);
	CHECK_INT(initiation(V4, "198.18.0.2"), XDP_PASS);
	CHECK_INT(state_count("tp_guard"), 4);
}
