// SPDX-License-Identifier: GPL-2.0-only
/* Headers: what is refused, and where the ports are really read from. */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

/* Extension headers, eight bytes each: next header, length, and padding options. */
#define PAD        "\0\1\4\0\0\0\0"
#define TO_UDP     "\x11" PAD
#define TO_TCP     "\x06" PAD
#define TO_HOP     "\0" PAD
#define TO_DEST    "\x3c" PAD
#define TO_ROUTING "\x2b" PAD
#define ROUTING_0  "\x11\0\0\1\0\0\0\0"
#define ROUTING_2  "\x11\0\2\0\0\0\0\0"
#define AUTH       "\x11\4\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"
#define NO_NEXT    "\x3b" PAD

enum { HOP = 0, ROUTING = 43, FRAGMENT = 44, AH = 51, DEST = 60 };

/* Only UDP port 53 is allowed: what else is read as a port is refused as such. */
#define DNS_ONLY                                                                                   \
	POLICY(NO_SNAT,                                                                            \
	       GRANT("phone", "192.0.2.0/24", "udp:53") ", " GRANT(                                \
		       "phone", "2001:db8:30::/64", "udp:53") ", " GRANT("phone", "gw", "udp:53"), \
	       "")

static const struct row rows[] = {
	{ .name = "drops_malformed_ipv4",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(0, 0x55) }),
		    drops(malformed) }, /* version */
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(0, 0x05) }),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(0, 0x44) }),
		    drops(malformed) }, /* header of 16 bytes */
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(3, 19) }),
		    drops(malformed) }, /* total length below the header's */
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(3, 0) }),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .cut = 1), drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .cut = 16), drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .bad_ip_checksum = true),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(0, 0x46) }),
		    drops(malformed) }, /* the UDP header as options: nothing is left */
	  } },
	{ .name = "drops_malformed_ipv6",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(0, 0x50) }),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .cut = 1), drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .cut = 36), drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(5, 7) }),
		    drops(malformed) },
	  } },
	{ .name = "drops_a_cut_transport_header",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, ip(IPPROTO_UDP + 256, "phone", "host", .payload = "abc"),
		    drops(malformed) },
		  { FROM_TUNNEL, ip(IPPROTO_TCP + 256, "phone", "host", .payload_size = 19),
		    drops(malformed) },
		  { FROM_TUNNEL, ip(IPPROTO_TCP + 256, "phone", "host", .payload_size = 3),
		    drops(malformed) },
	  } },
	{ .name = "drops_wrong_lengths_in_udp_and_tcp",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(25, 7) }),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(25, 16) }),
		    drops(malformed) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 2, .patch = { PATCH(32, 0x40) }),
		    drops(malformed) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 2, .patch = { PATCH(32, 0xf0) }),
		    drops(malformed) },
	  } },
	{ .name = "drops_wrong_lengths_in_udp_and_tcp",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(45, 7) }),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(45, 16) }),
		    drops(malformed) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 2, .patch = { PATCH(52, 0x40) }),
		    drops(malformed) },
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 2, .patch = { PATCH(52, 0xf0) }),
		    drops(malformed) },
	  } },
	{ .name = "drops_malformed_packets_from_the_lan_to_the_mesh",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 1, "phone", 2, .cut = 1), drops(malformed) },
		  { FROM_LAN, ip(IPPROTO_TCP + 256, "host", "phone", .payload_size = 19),
		    drops(malformed) },
	  } },
	{ .name = "link_padding_does_not_lengthen_a_header",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_LAN,
		    ip(IPPROTO_TCP + 256, "host", "phone", .payload_size = 8, .trailer = 40),
		    drops(malformed) },
		  { FROM_LAN, ip(IPPROTO_UDP + 256, "host", "phone", .payload = "abc",
				 .trailer = 40),
		    drops(malformed) },
	  } },
	{ .name = "an_extension_header_ends_inside_the_packet",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  /* 24 bytes of options in a packet of 15: ports would come from the padding */
		  { FROM_LAN,
		    ip(253, "host", "phone", EXT(HOP, "\x11\2\1\4\0\0\0\0"), .trailer = 60),
		    drops(malformed) },
		  { FROM_LAN,
		    ip(253, "host", "phone", EXT(HOP, "\x06\2\1\4\0\0\0\0"), .trailer = 60),
		    drops(malformed) },
		  { FROM_LAN,
		    ip(253, "host", "phone", EXT(HOP, "\xfd\2\1\4\0\0\0\0"), .trailer = 60),
		    drops(malformed) },
	  } },
	{ .name = "finds_ports_behind_extension_headers",
	  .policy = DNS_ONLY,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5, "host", 53, EXT(HOP, TO_DEST TO_UDP)),
		    resolves(LAN0, udp("phone", 5, "host", 53, EXT(HOP, TO_DEST TO_UDP),
				       .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5, "host", 54, EXT(HOP, TO_DEST TO_UDP)),
		    drops(acl), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5, "host2", 53, EXT(AH, AUTH)),
		    resolves(LAN0, udp("phone", 5, "host2", 53, EXT(AH, AUTH), .ttl = 63)),
		    .flows = 2 },
		  { FROM_TUNNEL, udp("phone", 6, "host2", 53, EXT(ROUTING, ROUTING_2)),
		    resolves(LAN0, udp("phone", 6, "host2", 53, EXT(ROUTING, ROUTING_2),
				       .ttl = 63)),
		    .flows = 3 },
	  } },
	{ .name = "bounds_the_chain_of_extension_headers",
	  .policy = DNS_ONLY,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL,
		    udp("phone", 5, "host", 53,
			EXT(HOP, TO_DEST TO_DEST TO_DEST TO_DEST TO_DEST TO_DEST TO_UDP)),
		    resolves(LAN0,
			     udp("phone", 5, "host", 53,
				 EXT(HOP, TO_DEST TO_DEST TO_DEST TO_DEST TO_DEST TO_DEST
						  TO_UDP),
				 .ttl = 63)),
		    .flows = 1 },
		  { FROM_TUNNEL,
		    udp("phone", 6, "host", 53,
			EXT(HOP, TO_DEST TO_DEST TO_DEST TO_DEST TO_DEST TO_DEST TO_DEST
					 TO_DEST TO_UDP)),
		    drops(malformed), .flows = 1 },
	  } },
	{ .name = "drops_routing_header_type_0",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5, "host", 53, EXT(ROUTING, ROUTING_0)),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 5, "self", 53, EXT(ROUTING, ROUTING_0)),
		    drops(malformed) },
	  } },
	{ .name = "no_ports_where_there_are_none",
	  .policy = DNS_ONLY,
	  .steps = {
		  /* port 53 twice, were these read as UDP */
		  { FROM_TUNNEL, ip(50, "phone", "host", .payload = "\0\65\0\65esp"),
		    drops(acl) },
		  { FROM_TUNNEL, ip(47, "phone", "host", .payload = "\0\65\0\65gre"),
		    drops(acl) },
		  { FROM_TUNNEL, ip(59, "phone", "host", .payload = "\0\65\0\65none"),
		    drops(acl) },
	  } },
	{ .name = "ipv6_without_a_next_header",
	  .policy = DNS_ONLY,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5, "host", 53, EXT(HOP, NO_NEXT)), drops(acl) },
	  } },
	{ .name = "icmp_of_the_other_family_is_no_icmp",
	  .policy = POLICY(NO_SNAT, GRANT("*", "*", "icmp:*"), ""),
	  .steps = {
		  { FROM_TUNNEL, ping("phone", "host", 7),
		    resolves(LAN0, ping("phone", "host", 7, .ttl = 63)), .flows = 1 },
		  { FROM_TUNNEL, ip(IPPROTO_IGMP, "phone", "host"), drops(acl), .flows = 1 },
	  } },
	{ .name = "leaves_ipv4_options_to_the_stack",
	  .policy = DNS_ONLY,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 5, "host", 53, V4_OPTIONS("\1\1\1\0")),
		    passes(ip_options), .flows = 1 },
		  { FROM_LAN, udp("host", 5, "elsewhere", 53, V4_OPTIONS("\1\1\1\0")),
		    passes(not_ours), .flows = 1 },
	  } },
	{ .name = "judges_behind_ipv4_options",
	  .policy = DNS_ONLY,
	  .only = V4,
	  .steps = {
		  /* options that would be source and destination port 53 */
		  { FROM_TUNNEL, udp("phone", 5, "host", 54, V4_OPTIONS("\0\65\0\65")),
		    drops(acl) },
		  { FROM_TUNNEL, udp("phone", 5, "self", 54, V4_OPTIONS("\0\65\0\65")),
		    drops(acl) },
		  { FROM_TUNNEL, udp("nobody", 5, "self", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(spoof) },
		  { FROM_TUNNEL, udp("phone", 5, "self", 53, V4_OPTIONS("\1\1\1\0")),
		    passes(deliver), .flows = 1 },
		  { FROM_TUNNEL, udp("phone", 5, "elsewhere", 53, V4_OPTIONS("\1\1\1\0")),
		    drops(no_route), .flows = 1 },
	  } },
	{ .name = "checks_the_header_checksum_over_options_too",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL,
		    udp("phone", 1, "host", 2, V4_OPTIONS("\1\1\1\0"), .bad_ip_checksum = true),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, V4_OPTIONS("\1\1\1\0")),
		    passes(ip_options), .flows = 1 },
	  } },
	{ .name = "a_grant_on_icmp_does_not_let_the_other_familys_by",
	  .policy = POLICY(NO_SNAT, GRANT("phone", "*", "icmp:*"), ""),
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, ip(IPPROTO_ICMPV6, "phone", "host"), drops(malformed) },
		  { FROM_TUNNEL, ip(IPPROTO_ICMPV6, "phone", "self"), drops(malformed) },
	  } },
	{ .name = "a_grant_on_icmp_does_not_let_the_other_familys_by",
	  .policy = POLICY(NO_SNAT, GRANT("phone", "*", "icmp:*"), ""),
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, udp("phone", 1, "host", 2, .patch = { PATCH(6, IPPROTO_ICMP) }),
		    drops(malformed) },
		  { FROM_TUNNEL, udp("phone", 1, "self", 2, .patch = { PATCH(6, IPPROTO_ICMP) }),
		    drops(malformed) },
	  } },
};
ROWS(rows)

/* ---- a frame that promises the other version: no stack takes it for what is inside -------------
 */

static void run_in_frame(enum hook hook, const struct packet *packet, enum family family,
			 enum family frame_of, struct run *run)
{
	static const struct ports none = {};
	uint8_t frame[FRAME_MAX], header[ETHERNET];
	size_t size = row_frame(hook, packet, family, &none, frame);

	*run = (struct run){};
	packet_put_ethernet(header, frame, frame + 6, frame_of);
	frame[12] = header[12];
	frame[13] = header[13];
	rig_run(hook, frame, size, run);
	if (family != frame_of)
		CHECK_BYTES(run->out, run->out_size, frame, size);
}

static void check_version(enum family family, enum family other)
{
	static const struct packet packet = udp("host", 5000, "phone", 53, .payload_size = 64);
	struct run run;
	uint64_t flows;

	row_start(OPEN_ROUTED, family);
	run_in_frame(FROM_LAN, &packet, family, other, &run);
	CHECK_INT(run.retval, -1);
	CHECK_INT(run.reasons[TP_R_not_ours], 1);
	CHECK_INT(state_live_flows(), 0);

	run_in_frame(FROM_LAN, &packet, family, family, &run);
	CHECK_INT(run.reasons[TP_R_forward], 1);
	flows = state_digest(true);
	run_in_frame(FROM_LAN, &packet, family, other, &run);
	CHECK_INT(run.reasons[TP_R_not_ours], 1);
	run_in_frame(FROM_WIRE, &packet, family, other, &run);
	CHECK_INT(run.retval, 2 /* XDP_PASS */);
	run_in_frame(INTO_LAN_FROM_TUNNEL, &packet, family, other, &run);
	CHECK_INT(run.reasons[TP_R_unjudged], 1);
	CHECK(state_digest(true) == flows);
}

TEST(takes_no_packet_of_another_version_than_its_frames)
{
	check_version(V4, V6);
	check_version(V6, V4);
}
