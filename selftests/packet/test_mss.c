// SPDX-License-Identifier: GPL-2.0-only
/* The segment size option on SYN and SYN-ACK: lowered to what the tunnel carries, never raised. */
#include "policies.h"
#include "rows.h"
#include "test.h"

/* The tunnel's MTU is 1420; less 40 bytes of headers, or 60 with IPv6. */
#define MSS_1460   "\2\4\5\xb4"
#define MSS_V4     "\2\4\5\x64" /* 1380 */
#define MSS_V6     "\2\4\5\x50" /* 1360 */
#define MSS_1000   "\2\4\3\xe8"
#define TABLET_V4  "\2\4\4\xec" /* 1260: its mtu is 1300 */
#define TABLET_V6  "\2\4\4\xd8" /* 1240 */
#define LENGTH_0   "\2\0\xff\xff"
#define PAST_END   "\1\1\2\4"
#define AFTER_END  "\0\2\4\5\xb4\0\0\0"
#define ODD_1460   "\1\2\4\5\xb4\1\1\1"
#define ODD_V4     "\1\2\4\5\x64\1\1\1"
#define ODD_V6     "\1\2\4\5\x50\1\1\1"
#define LINUX_1460 "\2\4\5\xb4\4\2\10\12\1\2\3\4\0\0\0\0\1\3\3\7"
#define LINUX_V4   "\2\4\5\x64\4\2\10\12\1\2\3\4\0\0\0\0\1\3\3\7"
#define LINUX_V6   "\2\4\5\x50\4\2\10\12\1\2\3\4\0\0\0\0\1\3\3\7"

/* A connection from `member`, its SYN and the SYN-ACK, with the option before and after. */
#define OPENING(member, before, after)                                                   \
	{ FROM_TUNNEL, tcp(SYN, member, 1, "host", 2, TCP_OPTIONS(before)),              \
	  resolves(LAN0, tcp(SYN, member, 1, "host", 2, TCP_OPTIONS(after), .ttl = 63)), \
	  .flows = 1 },                                                                  \
	{                                                                                \
		FROM_LAN, tcp(SYN | ACK, "host", 2, member, 1, TCP_OPTIONS(before)),     \
			tunnels(tcp(SYN | ACK, "host", 2, member, 1, TCP_OPTIONS(after), \
				    .ttl = 63)),                                         \
			.flows = 1                                                       \
	}

#define CASE(title, family, member, before, after)                               \
	{                                                                        \
		.name = title, .policy = OPEN_ROUTED, .only = family, .steps = { \
			OPENING(member, before, after)                           \
		}                                                                \
	}

static const struct row rows[] = {
	CASE("is_clamped_both_ways", V4, "phone", MSS_1460, MSS_V4),
	CASE("is_clamped_both_ways", V6, "phone", MSS_1460, MSS_V6),
	CASE("follows_a_members_smaller_mtu", V4, "tablet", MSS_1460, TABLET_V4),
	CASE("follows_a_members_smaller_mtu", V6, "tablet", MSS_1460, TABLET_V6),
	CASE("is_found_at_an_odd_offset", V4, "phone", ODD_1460, ODD_V4),
	CASE("is_found_at_an_odd_offset", V6, "phone", ODD_1460, ODD_V6),
	CASE("is_found_among_others", V4, "phone", LINUX_1460, LINUX_V4),
	CASE("is_found_among_others", V6, "phone", LINUX_1460, LINUX_V6),
	CASE("is_never_raised", 0, "phone", MSS_1000, MSS_1000),
	CASE("of_length_0_is_left_alone", 0, "phone", LENGTH_0, LENGTH_0),
	CASE("past_the_header_is_left_alone", 0, "phone", PAST_END, PAST_END),
	CASE("behind_the_end_of_the_options_is_none", 0, "phone", AFTER_END, AFTER_END),
	{ .name = "is_clamped_with_translation",
	  .policy = OPEN_MASQ,
	  .only = V4,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 2, TCP_OPTIONS(ODD_1460)),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 2, TCP_OPTIONS(ODD_V4),
				       .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 2, "lan", 20000, TCP_OPTIONS(MSS_1460)),
		    tunnels(tcp(SYN | ACK, "host", 2, "phone", 20000, TCP_OPTIONS(MSS_V4),
				.ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "is_clamped_with_translation",
	  .policy = OPEN_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 20000, "host", 2, TCP_OPTIONS(ODD_1460)),
		    resolves(LAN0, tcp(SYN, "lan", 20000, "host", 2, TCP_OPTIONS(ODD_V6),
				       .ttl = 63)),
		    .flows = 1 },
		  { FROM_LAN, tcp(SYN | ACK, "host", 2, "lan", 20000, TCP_OPTIONS(MSS_1460)),
		    tunnels(tcp(SYN | ACK, "host", 2, "phone", 20000, TCP_OPTIONS(MSS_V6),
				.ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "of_a_lan_hosts_connection_is_clamped",
	  .policy = OPEN_ROUTED,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, tcp(SYN, "host", 1, "phone", 2, TCP_OPTIONS(MSS_1460)),
		    tunnels(tcp(SYN, "host", 1, "phone", 2, TCP_OPTIONS(MSS_V4), .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "of_a_lan_hosts_connection_is_clamped",
	  .policy = OPEN_ROUTED,
	  .only = V6,
	  .steps = {
		  { FROM_LAN, tcp(SYN, "host", 1, "phone", 2, TCP_OPTIONS(MSS_1460)),
		    tunnels(tcp(SYN, "host", 1, "phone", 2, TCP_OPTIONS(MSS_V6), .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "means_nothing_without_syn",
	  .policy = OPEN_ROUTED,
	  .steps = {
		  { FROM_TUNNEL, tcp(SYN, "phone", 1, "host", 2),
		    resolves(LAN0, tcp(SYN, "phone", 1, "host", 2, .ttl = 63)), .flows = 1 },
		  { FROM_LAN, tcp(ACK, "host", 2, "phone", 1, TCP_OPTIONS(MSS_1460)),
		    tunnels(tcp(ACK, "host", 2, "phone", 1, TCP_OPTIONS(MSS_1460), .ttl = 63)),
		    .flows = 1 },
	  } },
};
ROWS(rows)
