/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets as a test writes them down, and their bytes. The bytes are made here from scratch,
 * checksums and all, and never with code of the programs under test.
 *
 * Addresses are names of places.h, so that one row serves both families, or literals.
 */
#ifndef SELFTESTS_PACKET_PACKET_H
#define SELFTESTS_PACKET_PACKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 8192
#define ETHERNET  14

enum family { V4 = 4, V6 = 6 };

/*
 * A port that NAT chose. Where a test first expects it, it is looked up in tp_nat_out; from
 * then on it is that number, in packets as in expectations.
 */
enum { PORT_A = -1, PORT_B = -2, PORT_C = -3, PORT_D = -4 };
#define PORT_NAMES 4

struct ports {
	uint16_t chosen[PORT_NAMES]; /* [0] is PORT_A; 0: not known yet */
};

enum tcp_flag { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum echo { REQUEST = 1, REPLY };

/* Members that are 0 have the value behind them. */
struct packet {
	const char *src, *dst;
	int proto;        /* IPPROTO_*; ICMP stands for ICMPv6 too */
	int sport, dport; /* host byte order or PORT_*; of an echo sport is the identifier */
	int ttl;          /* 64; TTL_ZERO is 0 */
	uint8_t tos;
	uint16_t frag; /* flags and offset of IPv4 */
	bool no_id;    /* identification 0 */
	/*
	 * One fragment of it: these bytes behind the IP header and `ext`. to: not included, and 0
	 * in the last. atomic: IPv6's header of a fragment that is the whole (RFC 6946).
	 */
	uint16_t from, to, id; /* id: 0x1234 */
	bool atomic;
	uint8_t tcp_flags;
	int seq, ack;     /* how far past what comes next: both sides begin at the same number */
	bool no_seq;      /* 0 instead */
	bool no_window;   /* 0 as well */
	enum echo echo;   /* else icmp4 or icmp6 */
	uint8_t icmp4[2]; /* type and code */
	uint8_t icmp6[2];
	/* of an ICMP error: what it quotes, and how much of its transport part; 0: all */
	const struct packet *quote;
	size_t quote_l4;
	bool quote_fits; /* no more than fits an error of 576 bytes, of 1280 in IPv6 */
	uint32_t rest;   /* bytes 4 to 7 of the error */
	bool bad_l4_checksum;
	const char *tcp_options; /* options_size bytes, a multiple of 4 */
	size_t options_size;
	/* IPv4 options, or IPv6 extension headers of which the first has type ext_type */
	const char *ext;
	size_t ext_size;
	uint8_t ext_type;
	const char *payload; /* "payload" */
	size_t payload_size; /* its length; beyond it zeroes follow */
	bool udp_unsummed;   /* UDP checksum 0 */
	bool bad_ip_checksum;
	/* bytes of the IP packet to set when all but the IPv4 header checksum is done */
	struct {
		bool set;
		uint8_t at, value;
	} patch[2];
	size_t cut;     /* bytes missing at the end */
	size_t trailer; /* bytes of link-layer padding behind it */
};

#define PIECE(first, end) .from = (first), .to = (end)

#define TTL_ZERO (-1)
#define DF       0x4000
#define MORE     0x2000

#define EXT(type, bytes)   .ext_type = (type), .ext = (bytes), .ext_size = sizeof(bytes) - 1
#define V4_OPTIONS(bytes)  .ext = (bytes), .ext_size = sizeof(bytes) - 1
#define TCP_OPTIONS(bytes) .tcp_options = (bytes), .options_size = sizeof(bytes) - 1
#define PATCH(offset, byte)                                  \
	{                                                    \
		.set = true, .at = (offset), .value = (byte) \
	}

#define udp(from, from_port, to, to_port, ...)                                          \
	{                                                                               \
		.proto = IPPROTO_UDP, .src = (from), .sport = (from_port), .dst = (to), \
		.dport = (to_port), ##__VA_ARGS__                                       \
	}
#define tcp(flags, from, from_port, to, to_port, ...)                                            \
	{                                                                                        \
		.proto = IPPROTO_TCP, .tcp_flags = (flags), .src = (from), .sport = (from_port), \
		.dst = (to), .dport = (to_port), ##__VA_ARGS__                                   \
	}
#define sctp(from, from_port, to, to_port, ...)                                          \
	{                                                                                \
		.proto = IPPROTO_SCTP, .src = (from), .sport = (from_port), .dst = (to), \
		.dport = (to_port), ##__VA_ARGS__                                        \
	}
#define ping(from, to, id, ...)                                                                    \
	{                                                                                          \
		.proto = IPPROTO_ICMP, .echo = REQUEST, .src = (from), .dst = (to), .sport = (id), \
		##__VA_ARGS__                                                                      \
	}
#define pong(from, to, id, ...)                                                                  \
	{                                                                                        \
		.proto = IPPROTO_ICMP, .echo = REPLY, .src = (from), .dst = (to), .sport = (id), \
		##__VA_ARGS__                                                                    \
	}
/* what: UNREACHABLE and the like; quoted: a packet as these macros make it. */
#define error(what, from, to, quoted, ...)                               \
	{                                                                \
		.proto = IPPROTO_ICMP, what, .src = (from), .dst = (to), \
		.quote = &(const struct packet)quoted, ##__VA_ARGS__     \
	}
#define UNREACHABLE       .icmp4 = { 3, 3 }, .icmp6 = { 1, 4 }
#define TOO_BIG(mtu)      .icmp4 = { 3, 4 }, .icmp6 = { 2, 0 }, .rest = (mtu)
#define TIME_EXCEEDED     .icmp4 = { 11, 0 }, .icmp6 = { 3, 0 }
#define PARAMETER_PROBLEM .icmp4 = { 12, 0 }, .icmp6 = { 4, 0 }, .rest = 0x01020304
#define ip(protocol, from, to, ...)                                            \
	{                                                                      \
		.proto = (protocol), .src = (from), .dst = (to), ##__VA_ARGS__ \
	}

/* The packet from its IP header on, without trailer; returns its length. */
size_t packet_put(const struct packet *packet, enum family family, const struct ports *ports,
		  uint8_t *out);

/* The identification that it has, or would have as a fragment. */
uint16_t packet_id(const struct packet *packet);

/* An Ethernet header; out has room for ETHERNET bytes. */
void packet_put_ethernet(uint8_t *out, const uint8_t to[6], const uint8_t from[6],
			 enum family family);

/* RFC 1071, the plain way: big-endian words, an odd last byte padded with zero. */
uint32_t packet_sum(const uint8_t *bytes, size_t length, uint32_t sum);
uint16_t packet_checksum(uint32_t sum);

/* A number as packets hold it, PORT_* resolved. */
uint16_t packet_port(int port, const struct ports *ports);

#endif
