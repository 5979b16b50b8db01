// SPDX-License-Identifier: GPL-2.0-only
/*
 * What XDP refuses before tc sees it, and what it leaves alone. A row that only passes shows that
 * nothing is written, nothing is counted and no flow is made: the packet is all tc's.
 */
#include <linux/bpf.h>
#include <string.h>

#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "test.h"

#define MALFORMED_HEADER .patch = { PATCH(0, 0x54) } /* version 5 */

static const struct row rows[] = {
	{ .name = "refuses_mesh_sources_early",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("phone", 1, "tablet", 2), drops(spoof) },
		  { FROM_WIRE, udp("phone", 1, "elsewhere", 2), drops(spoof) },
		  { FROM_WIRE, tcp(ACK, "branch", 1, "lan", 22), drops(spoof) },
		  { FROM_WIRE1, ping("remote", "host", 2), drops(spoof) },
		  { FROM_WIRE, ip(IPPROTO_ICMP, "self", "host", .icmp4 = { 3, 3 },
				  .icmp6 = { 1, 4 }),
		    drops(spoof) },
		  { FROM_WIRE_OTHER, udp("phone", 1, "tablet", 2), passes(none) },
	  } },
	{ .name = "refuses_what_is_malformed_early",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "phone", 2, .cut = 4), drops(malformed) },
		  { FROM_WIRE, tcp(SYN, "host", 1, "phone", 2, .cut = 10, .payload = ""),
		    drops(malformed) },
		  { FROM_WIRE, tcp(SYN, "host", 1, "remote", 2, .cut = 10, .payload = ""),
		    drops(malformed) },
		  { FROM_WIRE, udp("host", 1, "elsewhere", 2, .cut = 4), passes(none) },
		  { FROM_WIRE, udp("host", 1, "beyond", 2, .cut = 4), passes(none) },
		  { FROM_WIRE, udp("host", 1, "lan", 2, .cut = 4), passes(none) },
		  { FROM_WIRE, udp("host", 1, "phone", 2, MALFORMED_HEADER), passes(none) },
	  } },
	{ .name = "refuses_a_bad_header_checksum_early",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "phone", 2, .bad_ip_checksum = true),
		    drops(malformed) },
		  { FROM_WIRE, udp("host", 1, "elsewhere", 2, .bad_ip_checksum = true),
		    passes(none) },
	  } },
	{ .name = "refuses_a_routing_header_early",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "phone", 2, EXT(43, "\x11\0\0\0\0\0\0\0")),
		    drops(malformed) },
		  { FROM_WIRE, udp("host", 1, "elsewhere", 2, EXT(43, "\x11\0\0\0\0\0\0\0")),
		    passes(none) },
	  } },
	{ .name = "refuses_what_is_malformed_between_lans_early",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("host", 1, "beyond", 2, .cut = 4), drops(malformed) },
		  { FROM_WIRE, udp("beyond", 1, "beyond", 2), drops(martian) },
		  { FROM_WIRE, udp("host", 1, "elsewhere", 2, .cut = 4), passes(none) },
	  } },
	{ .name = "refuses_martians_early",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_WIRE, udp("127.0.0.1", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("0.1.2.3", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("224.0.0.1", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("240.0.0.1", 1, "remote", 2), drops(martian) },
		  { FROM_WIRE, udp("255.255.255.255", 1, "self", 2), drops(martian) },
		  { FROM_WIRE, udp("phone", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("127.0.0.1", 1, "elsewhere", 2), passes(none) },
		  { FROM_WIRE, udp("host", 1, "127.0.0.1", 2), passes(none) },
		  { FROM_WIRE, udp("host", 1, "host", 2), passes(none) },
	  } },
	{ .name = "refuses_martians_early",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_WIRE, udp("::1", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("::", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("ff02::1", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("::ffff:100.64.0.2", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("phone", 1, "phone", 2), drops(martian) },
		  { FROM_WIRE, udp("::1", 1, "elsewhere", 2), passes(none) },
		  { FROM_WIRE, udp("host", 1, "::ffff:100.64.0.2", 2), drops(martian) },
		  { FROM_WIRE, udp("host", 1, "host", 2), passes(none) },
	  } },
	{ .name = "frames_for_others_are_left_alone",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_WIRE_AS_OTHER, udp("phone", 1, "host", 2), passes(none) },
		  { FROM_WIRE_AS_OTHER, udp("host", 1, "phone", 2, .cut = 4), passes(none) },
		  { FROM_WIRE_AS_BROADCAST, udp("phone", 1, "host", 2), passes(none) },
		  { FROM_WIRE_AS_BROADCAST, udp("host", 1, "phone", 2, .cut = 4), passes(none) },
	  } },
	{ .name = "what_stays_on_the_link_is_left_alone",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_WIRE, udp("0.0.0.0", 68, "255.255.255.255", 67), passes(none) },
		  { FROM_WIRE, udp("phone", 5353, "224.0.0.251", 5353), passes(none) },
		  { FROM_WIRE, udp("169.254.1.1", 1, "phone", 2), passes(none) },
	  } },
	{ .name = "what_stays_on_the_link_is_left_alone",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_WIRE, udp("fe80::1", 1, "phone", 2), passes(none) },
		  { FROM_WIRE, udp("phone", 5353, "ff02::fb", 5353), passes(none) },
		  { FROM_WIRE, ip(IPPROTO_ICMP, "host", "lan", .icmp6 = { 133 }, .ttl = 255),
		    passes(none) },
		  { FROM_WIRE, ip(IPPROTO_ICMP, "host", "self", .icmp6 = { 135 }, .ttl = 255),
		    passes(none) },
		  { FROM_WIRE, ip(IPPROTO_ICMP, "phone", "lan", .icmp6 = { 136 }, .ttl = 255),
		    passes(none) },
		  { FROM_WIRE, ip(IPPROTO_ICMP, "host", "ff02::16", .icmp6 = { 143 }),
		    passes(none) },
	  } },
	{ .name = "a_fragment_with_a_mesh_source_is_refused_early",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_WIRE, udp("phone", 1, "elsewhere", 2, FIRST), drops(spoof) },
		  { FROM_WIRE, udp("phone", 1, "elsewhere", 2, LAST), drops(spoof) },
		  { FROM_WIRE, udp("host", 1, "phone", 2, FIRST), passes(none) },
		  { FROM_WIRE, udp("host", 1, "phone", 2, LAST), passes(none) },
	  } },
};
ROWS(rows)

/* The frame of a spoofed packet, changed by the caller, must pass as it is. */
static void check_passes(uint8_t *frame, size_t size)
{
	struct run run = {};
	int i;

	rig_run(FROM_WIRE, frame, size, &run);
	CHECK_INT(run.retval, XDP_PASS);
	CHECK_BYTES(run.out, run.out_size, frame, size);
	for (i = 0; i < TP_REASON_COUNT; i++)
		CHECK_INT(run.reasons[i], 0);
}

TEST(other_ether_types_are_left_alone)
{
	static const uint16_t types[] = { 0x0806, 0x88cc, 0x8847, 0x0026, 0x8864, 0x88a8, 0x8100 };
	const struct packet packet = udp("phone", 1, "host", 2);
	const struct ports none = {};
	uint8_t frame[FRAME_MAX];
	size_t i, size;

	rig_start(OPEN_ROUTED);
	size = row_frame(FROM_WIRE, &packet, V4, &none, frame);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		frame[12] = (uint8_t)(types[i] >> 8);
		frame[13] = (uint8_t)types[i];
		check_passes(frame, size);
	}
}

TEST(a_tagged_frame_is_left_alone)
{
	static const uint8_t tag[] = { 0x81, 0x00, 0x00, 0x0a };
	const struct packet packet = udp("phone", 1, "host", 2);
	const struct ports none = {};
	uint8_t frame[FRAME_MAX];
	size_t size;

	rig_start(OPEN_ROUTED);
	size = row_frame(FROM_WIRE, &packet, V6, &none, frame);
	memmove(frame + 12 + sizeof(tag), frame + 12, size - 12);
	memcpy(frame + 12, tag, sizeof(tag));
	check_passes(frame, size + sizeof(tag));
}

/* XDP sees only the first buffer of these; that the rest is missing is no fault of theirs. */
TEST(a_frame_in_several_buffers_is_left_alone)
{
	const struct packet packet =
		udp("host", 1, "phone", 2, .payload = "", .payload_size = 6000);
	const struct ports none = {};
	uint8_t frame[FRAME_MAX];
	size_t size;

	rig_start(OPEN_ROUTED);
	size = row_frame(FROM_WIRE, &packet, V4, &none, frame);
	check_passes(frame, size);
	size = row_frame(FROM_WIRE, &packet, V6, &none, frame);
	check_passes(frame, size);
}

/* The version in the packet is not the one that the frame promises. */
TEST(a_frame_that_lies_about_its_version_is_left_alone)
{
	const struct packet packet = udp("host", 5000, "beyond", 53);
	const struct ports none = {};
	uint8_t frame[FRAME_MAX];
	size_t size;

	rig_start(JUDGED_GENERIC);
	size = row_frame(FROM_LAN, &packet, V4, &none, frame);
	rig_run(FROM_LAN, frame, size, &(struct run){});
	packet_put_ethernet(frame, world_mac(LAN0), world_mac(LAN1), V6);
	check_passes(frame, size);
}
